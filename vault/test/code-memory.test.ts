/**
 * Security codes after their authorization: none in any table, none in the vault's memory. (PCI DSS 3.3.1.)
 *
 * A code of four digits stands in a process' memory by chance, too, so the search is for what a forgotten copy would look like: the code beside a word that
 * only its request or its answer has, and as many more of the bare digits, with no other digit beside them, as there were cards.
 */
import { randomInt } from "node:crypto";
import { isLuhnValid, Secret } from "@florin/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { open as openSeal } from "../src/app/card-cipher.ts";
import { cardKeyOf } from "../src/app/card-key.ts";
import { loadDataKeys } from "../src/app/data-keys.ts";
import { bindingBytes, decodeCard } from "../src/domain/sealed-card.ts";
import { createSoftwareHsm } from "../src/hsm/software.ts";
import { createCardStore } from "../src/store/cards.ts";
import { createDataKeyStore } from "../src/store/data-keys.ts";
import { copiesInMemory, numbersInMemory } from "./process-memory.ts";
import {
  clientOf,
  kek,
  newId,
  openStage,
  postToken,
  type Stage,
  startVault,
  tokenOf,
  type VaultClient,
  type VaultProcess,
} from "./stage.ts";

const cards = 100;
/** What buffers of others keep of the last requests; a single forgotten buffer of ours leaves one for each card. */
const leftoversMax = 20;
const code = String(randomInt(1_000, 10_000));
/** Codes that nobody sends: how often four digits stand in this memory by chance, which grows while the vault works. */
const controls = Array.from({ length: 3 }, () => String(randomInt(1_000, 10_000))).filter((control) => control !== code);

let stage: Stage;
let vault: VaultProcess;
let connectors: VaultClient;
let merchantId: string;
let key: string;

beforeAll(async () => {
  stage = await openStage();
  vault = await startVault(stage);
  merchantId = newId("merchant");
  key = await stage.key(merchantId, "live");
  connectors = await clientOf(stage, vault, "connectors");
});

afterAll(async () => {
  await connectors?.close();
  await vault?.stop();
  await stage?.close();
});

/** A number of American Express's form, whose code has four digits, made up for this run. */
function madeUpNumber(): string {
  const body = `37${Array.from({ length: 12 }, () => randomInt(10)).join("")}`;
  const digit = Array.from({ length: 10 }, (_, last) => `${body}${last}`).find((number) => isLuhnValid(Buffer.from(number)));
  if (digit === undefined) throw new Error("one of ten digits is right");
  return digit;
}

const copies = (text: string) => copiesInMemory(vault.child.pid ?? 0, Buffer.from(text, "latin1"));
const bareCopies = (digits: string) => numbersInMemory(vault.child.pid ?? 0, Buffer.from(digits, "latin1"));

test("five seconds after the authorization the code is in no memory of the vault's", async (context) => {
  const number = madeUpNumber();
  const before = bareCopies(code);
  if (before === undefined) return context.skip("this system lets nobody read another process' memory");
  for (let round = 0; round < cards; round++) {
    const token = await tokenOf(vault, key, number, { cvc: code });
    const request = { merchantId, token, purpose: "authorize", paymentId: newId("payment") };
    const opened = await connectors.detokenize(request, { timeoutMs: 5_000 });
    expect(Buffer.from(opened.securityCode).toString()).toBe(code);
    expect((await connectors.detokenize(request, { timeoutMs: 5_000 })).securityCode).toHaveLength(0);
  }
  await expect.poll(leftAfterMoreWork, { timeout: 5_000, interval: 100 }).toEqual({ besideItsWord: 0, forgotten: 0 });

  /** Requests without a code, some at a time, push what Node's parser, sockets and heap keep of the last ones out: a vault at work is never still. */
  async function leftAfterMoreWork() {
    for (let round = 0; round < leftoversMax; round++)
      await Promise.all(Array.from({ length: 4 }, () => postToken(vault, key, { card: { number, exp_month: 12, exp_year: 2035 } })));
    const byChance = Math.max(before ?? 0, ...controls.map((control) => bareCopies(control) ?? 0));
    const forgotten = Math.max(0, (bareCopies(code) ?? 0) - byChance - leftoversMax);
    return { besideItsWord: copies(`"cvc":"${code}"`), forgotten };
  }
});

test("no column holds a code: what is sealed is the card's four fields, with or without one", async () => {
  const number = madeUpNumber();
  const tokens = [await tokenOf(vault, key, number, { cvc: code }), await tokenOf(vault, key, number, { cvc: undefined })];
  const hsm = createSoftwareHsm({ kek: new Secret(Buffer.from(kek, "hex")), environment: "sandbox" });
  const dataKeys = await loadDataKeys({ hsm, store: createDataKeyStore(stage.sql), epochLifeMs: 3_600_000, now: () => performance.now() });
  const found = await createCardStore(stage.sql).find(tokens.map((token) => ({ merchantId, token })));
  const plain = await Promise.all(
    found.map(async (card) => {
      if (card?.kind !== "card") throw new Error("a card was not stored");
      const { expMonth, expYear } = card.facts;
      const cardKey = cardKeyOf(await dataKeys.openingKey(merchantId, card.epoch), card.share);
      return openSeal(cardKey, bindingBytes({ ...card, expMonth, expYear }), card.sealed);
    }),
  );
  expect(plain[0]).toEqual(plain[1]);
  // Reads all of it: a fifth field would be an assertion.
  for (const bytes of plain) expect(Buffer.from(decodeCard(bytes).number).toString()).toBe(number);
  const columns = await stage.sql<{ name: string }[]>`
    SELECT column_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND column_name ~ 'cvc|cvv|security|code'`;
  expect(columns.map(({ name }) => name)).toEqual([]);
});
