/** The module that guards the keys is slow and one for all: no card that is taken, looked at or opened waits for it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeSoftToken, missingModule } from "./soft-token.ts";
import { clientOf, newId, openStage, type Stage, startVault, tokenOf, type VaultProcess } from "./stage.ts";

const number = "4242424242424242";
const cards = 1_000;
const lanes = 16;
const missing = missingModule();

describe.each([
  ["the software key store", undefined],
  [`a module${missing === undefined ? "" : ` (${missing})`}`, missing],
] as const)("with %s", (name, reason) => {
  let stage: Stage;
  let vault: VaultProcess;

  beforeAll(async () => {
    if (reason !== undefined) return;
    stage = await openStage();
    vault = await startVault(stage, { ...(await keyStore(name)), FLORIN_KEY_REFRESH_MS: "3600000", FLORIN_LOG_LEVEL: "error" });
  });

  afterAll(async () => {
    await vault?.stop();
    await stage?.close();
  });

  test.skipIf(reason !== undefined)(`${cards} cards are taken, looked at and opened without one call of it`, async () => {
    const merchantId = newId("merchant");
    const key = await stage.key(merchantId);
    const [connectors, core] = [await clientOf(stage, vault, "connectors"), await clientOf(stage, vault, "switch")];
    // The first card of a database begins its first epoch, as later ones begin by time or count: that one call for a key is made for all cards.
    await tokenOf(vault, key, number);
    const before = await callsOfModule(vault);
    expect(before).toBeGreaterThan(0);
    let left = cards;
    const lane = async (): Promise<void> => {
      while (left-- > 0) {
        const token = await tokenOf(vault, key, number);
        const call = { timeoutMs: 10_000 };
        expect((await core.describeToken({ merchantId, token, live: false }, call)).found).toBe(true);
        expect((await connectors.detokenize({ merchantId, token, purpose: "authorize", paymentId: newId("payment") }, call)).found).toBe(
          true,
        );
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    expect(await callsOfModule(vault)).toBe(before);
    await connectors.close();
    await core.close();
  });
});

async function keyStore(name: string): Promise<Record<string, string>> {
  if (name.startsWith("the software")) return {};
  const token = makeSoftToken();
  const custody = token.custody();
  await custody.create("kek-1");
  await custody.close();
  return { ...token.env, FLORIN_HSM_KEK_LABEL: "kek-1", FLORIN_KEK: "" };
}

async function callsOfModule(vault: VaultProcess): Promise<number> {
  const text = await (await fetch(`${vault.adminUrl}/metrics`)).text();
  return [...text.matchAll(/^vault_hsm_calls_total\{.*\} (\d+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
}
