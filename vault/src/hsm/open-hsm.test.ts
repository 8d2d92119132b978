import { Secret } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { type HsmSettings, openCustody, openHsm } from "./open-hsm.ts";

const none: HsmSettings = {
  environment: "sandbox",
  hsm: "software",
  kek: undefined,
  kekUnwrapOnly: undefined,
  kekGenerationFile: "",
  hsmModule: "",
  hsmTokenLabel: "",
  hsmPin: undefined,
  hsmKekLabel: "",
};
const secret = () => new Secret(Buffer.alloc(32, 5));

describe("the chosen key store", () => {
  test("is the software one by default, and needs its key", async () => {
    expect((await openHsm({ ...none, kek: secret() })).kekId).toMatch(/^software:[0-9a-f]{16}$/);
    await expect(openHsm(none)).rejects.toThrow("FLORIN_KEK is required");
  });

  test("cannot be the software one in production, with a key or without", async () => {
    for (const kek of [secret(), undefined])
      await expect(openHsm({ ...none, kek, environment: "production" })).rejects.toThrow("refused in production");
  });

  test("as a module names the setting that is missing", async () => {
    const full = { ...none, hsm: "pkcs11", hsmModule: "/x.so", hsmTokenLabel: "a", hsmPin: secret(), hsmKekLabel: "kek" } as const;
    for (const [missing, env] of [
      [{ hsmModule: "" }, "FLORIN_HSM_MODULE"],
      [{ hsmTokenLabel: "" }, "FLORIN_HSM_TOKEN_LABEL"],
      [{ hsmPin: undefined }, "FLORIN_HSM_PIN"],
      [{ hsmKekLabel: "" }, "FLORIN_HSM_KEK_LABEL"],
    ] as const)
      await expect(openHsm({ ...full, ...missing })).rejects.toThrow(`${env} is required`);
  });

  test("has no keys to manage when it is the software one", () => {
    expect(() => openCustody({ ...none, kek: secret() })).toThrow("FLORIN_HSM=pkcs11");
  });
});
