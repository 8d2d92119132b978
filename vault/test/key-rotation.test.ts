/** Custodians' commands, as they type them, beside a vault that serves: no opening fails while every key is rotated, and destroyed keys refuse. */
import { execFile } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryFolder, untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeSoftToken, missingModule } from "./soft-token.ts";
import { cardBody, clientOf, newId, openStage, postToken, type Stage, startVault, type VaultClient, type VaultProcess } from "./stage.ts";

const missing = missingModule();
const merchantId = newId("merchant");
const number = "4242424242424242";

type Finished = { readonly code: number; readonly output: string };

let stage: Stage;
let env: Record<string, string> = {};
const folder = temporaryFolder();

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage?.close());

/** `npm run vault -- keys …`, without npm. */
async function keys(words: string, more: Readonly<Record<string, string>> = {}): Promise<Finished> {
  const options = { env: { ...process.env, ...env, ...more, FLORIN_DATABASE_OWNER_URL: stage.ownerUrl } };
  const run = promisify(execFile)(
    process.execPath,
    [new URL("../src/keys.ts", import.meta.url).pathname, "keys", ...words.split(" ")],
    options,
  );
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (thrown: { code: number; stdout: string; stderr: string }) => ({ code: thrown.code, output: thrown.stdout + thrown.stderr }),
  );
}

async function done(words: string, more?: Readonly<Record<string, string>>): Promise<string> {
  const { code, output } = await keys(words, more);
  expect([code, output]).toEqual([0, output]);
  return output;
}

async function refused(words: string, why: string): Promise<void> {
  expect(await keys(words)).toEqual({ code: 1, output: expect.stringContaining(why) });
}

describe.skipIf(missing !== undefined)(`keys in a module${missing === undefined ? "" : ` (${missing})`}`, () => {
  let vault: VaultProcess;
  let connectors: VaultClient;
  let key: string;
  const tokens: string[] = [];

  const makeToken = async (): Promise<string> => {
    const { status, body, text } = await postToken(vault, key, cardBody(number));
    if (status !== 201) throw new Error(`the vault answered ${status} ${text}`);
    return String(body["id"]);
  };
  const opens = async (token: string): Promise<boolean> => {
    const request = { merchantId, token, purpose: "capture", paymentId: newId("payment") };
    const card = await connectors.detokenize(request, { timeoutMs: 10_000 });
    return card.found && Buffer.from(card.number).toString() === number;
  };
  const epochsOf = async (): Promise<Record<number, number>> => {
    const rows = await stage.sql<{ epoch: number; cards: number }[]>`SELECT epoch, count(*)::int AS cards FROM cards GROUP BY epoch`;
    return Object.fromEntries(rows.map(({ epoch, cards }) => [epoch, cards]));
  };

  beforeAll(async () => {
    env = { ...makeSoftToken().env, FLORIN_HSM_KEK_LABEL: "kek-1" };
    await done("kek-create --by alice --label kek-1");
    vault = await startVault(stage, { ...env, FLORIN_ENVIRONMENT: "production", FLORIN_KEK: "", FLORIN_KEY_REFRESH_MS: "100" });
    connectors = await clientOf(stage, vault, "connectors");
    key = await stage.key(merchantId);
    tokens.push(...(await Promise.all(Array.from({ length: 1_200 }, makeToken))));
  });

  afterAll(async () => {
    await connectors?.close();
    await vault?.stop();
  });

  test("production starts with a module, and its PIN is in no line that it writes", () => {
    expect(vault.output()).toMatch(/"kek_id":"pkcs11:[0-9a-f]{16}"/);
    expect(vault.output()).not.toContain(env["FLORIN_HSM_PIN"]);
  });

  test("KEK and data keys are rotated while cards are made and opened: nothing fails, and every card ends under the newest key", async () => {
    let [isOver, opened] = [false, 0];
    const faults: unknown[] = [];
    const drive = async (step: () => Promise<void>): Promise<void> => {
      while (!isOver) await step().catch((thrown: unknown) => void faults.push(thrown));
    };
    const load = [
      ...Array.from({ length: 8 }, (_, lane) =>
        drive(async () => {
          if (!(await opens(tokens[(opened * 7 + lane) % tokens.length] ?? ""))) throw new Error("another card came back");
          opened += 1;
        }),
      ),
      ...Array.from({ length: 2 }, () => drive(async () => void tokens.push(await makeToken()))),
    ];
    try {
      expect(await done("rotate --by alice")).toContain("epoch 2 seals");
      // Not waited for the process to notice: what it seals under a retired key meanwhile is sealed anew before it is stored.
      await done("retire --by alice --epoch 1");
      expect(await done("reseal --by alice --per-second 1000000")).toMatch(/^1[2-9][0-9]{2} of/);
      await done("destroy --by alice --witness bob --epoch 1");
      await done("kek-create --by alice --label kek-2");
      expect(await done("rewrap --by alice", { FLORIN_HSM_KEK_LABEL: "kek-2" })).toMatch(
        /2 data keys rewrapped by .*, and 1 envelope keys/,
      );
      const before = opened;
      await untilTrue(() => opened > before + 200, 20_000);
    } finally {
      isOver = true;
      await Promise.all(load);
    }
    expect(faults).toEqual([]);
    expect(Object.keys(await epochsOf())).toEqual(["2"]);
    for (const token of tokens) expect(await opens(token)).toBe(true);
  });

  test("a vault that starts with the new KEK opens every card, and the old one is retired and destroyed once nothing needs it", async () => {
    env["FLORIN_HSM_KEK_LABEL"] = "kek-2";
    await refused("kek-destroy --by alice --label kek-1", "two people");
    await refused("kek-destroy --by alice --witness bob --label kek-2", "2 data keys are wrapped by it");
    await refused("kek-destroy --by alice --witness bob --label kek-1", "retire it first");
    await done("kek-retire --by alice --label kek-1");
    expect(await done("kek-list")).toMatch(/kek-1 .* retired/);
    await done("kek-destroy --by alice --witness bob --label kek-1");
    expect(await done("kek-list")).toMatch(/^kek-2 {2}pkcs11:[0-9a-f]{16} {2}wraps {2}made in the module\n$/);
    await connectors.close();
    await vault.stop();
    await expect(startVault(stage, { ...env, FLORIN_HSM_KEK_LABEL: "kek-1" })).rejects.toThrow("no key-encryption key labelled kek-1");
    vault = await startVault(stage, { ...env, FLORIN_KEK: "" });
    connectors = await clientOf(stage, vault, "connectors");
    for (const token of tokens.slice(0, 50)) expect(await opens(token)).toBe(true);
  });

  test("the inventory shows every key and what was done by whom, and no key", async () => {
    const output = await done("list --events 100");
    expect(output).toMatch(/card +2 +seals +0\.000\d %/);
    expect(output).toMatch(/fingerprint +1 +fingerprints/);
    // The vault that started with the new key-encryption key took the pair over: pages that hold it are served.
    expect(output).toMatch(/\n[\w-]{43} +1 {2}\S+Z {2}pkcs11:[0-9a-f]{16}\n/);
    for (const words of ["created", "retired", "resealed", "destroyed", "rewrapped", "kek_created", "kek_retired"])
      expect(output).toContain(words);
    expect(output).toMatch(/kek_destroyed .* by alice and bob/);
    const json = JSON.parse(await done("list --json")) as { keys: { kekId: string }[]; envelopeKeys: { kekId: string }[] };
    expect(json.keys).toHaveLength(2);
    expect(json.envelopeKeys.map(({ kekId }) => kekId)).toEqual([json.keys[0]?.kekId]);
    expect(await done("verify")).toContain("1 epochs of data keys and the fingerprint key unwrap");
    for (const row of await stage.sql<{ wrapped: string }[]>`SELECT encode(wrapped_key, 'hex') AS wrapped FROM data_keys`)
      expect(output).not.toContain(row.wrapped);
  });

  test("two people bring in a key in shares: the module and no file holds it, and data keys move to it", async () => {
    const [alice, bob] = [join(folder, "alice.share"), join(folder, "bob.share")];
    for (const file of [alice, bob]) await done(`share --file ${file}`);
    await refused(`share --file ${alice}`, "EEXIST");
    const shares = [alice, bob].map((file) => readFileSync(file, "utf8"));
    await refused(`kek-import --by alice --label kek-3 --share ${alice} --share ${bob}`, "two people");
    await refused(`kek-import --by alice --witness bob --label kek-3 --share ${alice}`, "2 to 8 shares");
    chmodSync(bob, 0o644);
    await refused(`kek-import --by alice --witness bob --label kek-3 --share ${alice} --share ${bob}`, "can be read by others");
    chmodSync(bob, 0o600);
    const output = await done(`kek-import --by alice --witness bob --label kek-3 --share ${bob} --share ${alice}`);
    expect(output).toMatch(/^kek-3 {2}pkcs11:[0-9a-f]{16} {2}wraps {2}imported\n$/);
    for (const share of shares) expect(output).not.toContain(share.slice(19, 40));
    env["FLORIN_HSM_KEK_LABEL"] = "kek-3";
    expect(await done("rewrap --by alice")).toContain("2 data keys rewrapped");
    await done("verify");
    await refused("kek-destroy --by alice --witness bob --label kek-3", "2 data keys are wrapped by it");
  });
});

test("commands that are misspelt say so, and change nothing", async () => {
  const software = { FLORIN_HSM: "software", FLORIN_KEK: "c3".repeat(32) };
  for (const [words, why] of [
    ["rotated", "there is no command rotated"],
    ["toString", "there is no command toString"],
    ["rotate", "--by names the person"],
    ["retire --by alice --epoch x", "--epoch is 1 to"],
    ["kek-create --by alice --label kek/1", "--label is 1 to 32"],
    ["kek-list", "FLORIN_HSM=pkcs11"],
  ] as const)
    expect(await keys(words, software)).toEqual({ code: 1, output: expect.stringContaining(why) });
});
