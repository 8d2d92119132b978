/**
 * Question: does the vault's time tell whether a publishable key or another merchant's token exists?
 *
 *   node vault/bench/timing.bench.ts [milliseconds per pair=9000]
 *
 * Welch's t; |t| below 4.5 means that so many samples show no difference. Keys are refused in memory, where a difference of nanoseconds shows; a
 * token that is not the asker's is looked for in a real PostgreSQL, whose own noise (tens of µs) hides less than about a µs. It cannot see what an
 * attacker on the same machine could see in the processor's caches. What a merchant may ask about its own tokens is answered in words, so there is
 * nothing to hide.
 */
import { randomBytes } from "node:crypto";
import { compareTimes, type Timed } from "@florin/runtime/testing";
import { createAuthenticator } from "../src/app/authenticate.ts";
import { createCardDirectory } from "../src/app/card-directory.ts";
import { keyRandomBytes, makePublishableKey } from "../src/domain/publishable-key.ts";
import { makeToken, tokenRandomBytes } from "../src/domain/token.ts";
import { createCardStore } from "../src/store/cards.ts";
import { createPublishableKeyStore } from "../src/store/publishable-keys.ts";
import { cardBody, newId, openStage, pepper, postToken, startVault } from "../test/stage.ts";

const timeMsMax = Number(process.argv[2] ?? 9_000);
const samplesMax = 1_000_000;
const stage = await openStage();
const rows: object[] = [];

async function compare(left: Timed, right: Timed): Promise<void> {
  const found = await compareTimes({ left, right, samplesMax, timeMsMax });
  const [leftNs, rightNs] = [Math.round(found.leftNs), Math.round(found.rightNs)];
  rows.push({
    left: left.name,
    right: right.name,
    samples: found.samples,
    "left ns": leftNs,
    "right ns": rightNs,
    "|t|": Math.abs(found.t).toFixed(1),
  });
}

try {
  const merchantId = newId("merchant");
  const known = await stage.key(merchantId);
  const vault = await startVault(stage, { FLORIN_LOG_LEVEL: "error" });
  const { body } = await postToken(vault, known, cardBody("4242424242424242"));
  await vault.stop();

  const keys = createAuthenticator({
    store: createPublishableKeyStore(stage.sql),
    pepper: Buffer.from(pepper, "hex"),
    foundTtlMs: 1e9,
    unknownTtlMs: 1e9,
  });
  const refuse = (header: string) => keys.authenticate(header).catch(() => undefined);
  /** As a socket brings it: one flat string. */
  const refused = (name: string, makeKey: () => string): Timed => ({
    name,
    prepare: () => Buffer.from(`Bearer ${makeKey()}`, "latin1").toString("latin1"),
    run: refuse,
  });
  const nobody = () => makePublishableKey("test", randomBytes(keyRandomBytes));
  const near = () => known.slice(0, -3) + nobody().slice(-3);
  await keys.authenticate(`Bearer ${known}`);
  await compare(refused("an unknown key", nobody), refused("an unknown key", nobody));
  await compare(refused("an unknown key", nobody), refused("an existing key but for its last characters", near));

  const directory = createCardDirectory({ store: createCardStore(stage.sql), cardsMax: 1_000, rules: { graceDays: 180 } });
  const stranger = newId("merchant");
  const ask = (token: string) => directory.find(stranger, token);
  const find = (name: string, token: string): Timed => ({ name, prepare: () => Buffer.from(token, "latin1").toString("latin1"), run: ask });
  await compare(
    find("a token that is not there", makeToken(randomBytes(tokenRandomBytes))),
    find("another merchant's token", String(body["id"])),
  );
  await directory.close();
  console.table(rows);
} finally {
  await stage.close();
}
