/** The PKCS#11 adapter on SoftHSM: the contract, keys that cannot leave, tokens found by label, and a module that is away. */
import { createHash, randomBytes } from "node:crypto";
import { Secret } from "@florin/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hsmConformance } from "../src/hsm/conformance.ts";
import { openPkcs11Custody, openPkcs11Hsm } from "../src/hsm/pkcs11.ts";
import { ck, loadPkcs11Library, type Pkcs11Library } from "../src/hsm/pkcs11-module.ts";
import type { Hsm, KekCustody } from "../src/hsm/port.ts";
import { createSoftwareHsm } from "../src/hsm/software.ts";
import { makeSoftToken, missingModule, type SoftToken } from "./soft-token.ts";

const missing = missingModule();

describe.skipIf(missing !== undefined)(`the PKCS#11 adapter${missing === undefined ? "" : ` (${missing})`}`, () => {
  let token: SoftToken;
  let foreign: SoftToken;
  let fresh: SoftToken;
  let custody: KekCustody;
  const opened: Hsm[] = [];

  beforeAll(async () => {
    // Many tokens in many slots: the label decides. All are made first: the library looks for tokens when it is initialised.
    [foreign, token, fresh] = [makeSoftToken(), makeSoftToken(), makeSoftToken()];
    custody = token.custody();
    for (const label of ["kek-1", "kek-2"]) await custody.create(label);
    const other = foreign.custody();
    await other.create("kek-1");
    await other.close();
  });

  afterAll(async () => {
    for (const hsm of opened) await hsm.close();
    await custody?.close();
  });

  const open = async (from: () => SoftToken, label: string): Promise<Hsm> => {
    const hsm = await from().hsm(label);
    opened.push(hsm);
    return hsm;
  };

  hsmConformance("it", {
    open: () => open(() => token, "kek-1"),
    openOther: () => open(() => foreign, "kek-1"),
    openRotated: () => open(() => token, "kek-2"),
  });

  test("writes the same bytes as the software adapter, so a key can move from one to the other", async () => {
    const [kek, key] = [randomBytes(32), randomBytes(32)];
    await custody.importKey("kek-shared", Uint8Array.from(kek));
    const module = await open(() => token, "kek-shared");
    const software = createSoftwareHsm({ kek: new Secret(Uint8Array.from(kek)), environment: "sandbox" });
    const [fromModule, fromSoftware] = [await module.wrapKey(key), await software.wrapKey(key)];
    expect(Buffer.from(fromModule.bytes)).toEqual(Buffer.from(fromSoftware.bytes));
    expect(await module.unwrapKey({ ...fromSoftware, kekId: module.kekId })).toEqual(key);
    expect(await software.unwrapKey({ ...fromModule, kekId: software.kekId })).toEqual(key);
  });

  test("wipes an imported key and names it the same wherever it is imported", async () => {
    const kek = randomBytes(32);
    const bytes = Uint8Array.from(kek);
    const here = await custody.importKey("kek-twin", bytes);
    expect(bytes).toEqual(new Uint8Array(32));
    const elsewhere = foreign.custody();
    expect((await elsewhere.importKey("kek-twin", Uint8Array.from(kek))).kekId).toBe(here.kekId);
    await elsewhere.close();
    expect(here).toMatchObject({ isMadeInModule: false, canWrap: true });
    // Not the key's own bytes, nor a plain hash of them.
    for (const secret of [kek, createHash("sha256").update(kek).digest()])
      expect(here.kekId).not.toContain(secret.subarray(0, 8).toString("hex"));
  });

  test("a label that is taken is refused", async () => {
    await expect(custody.create("kek-1")).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("already has") });
    await expect(custody.importKey("kek-1", randomBytes(32))).rejects.toThrow("already has");
  });

  test("a retired key unwraps and wraps no more; only a retired one can be destroyed, and then it opens nothing", async () => {
    await custody.create("kek-old");
    const hsm = await open(() => token, "kek-old");
    const wrapped = await hsm.wrapKey(randomBytes(32));
    await expect(custody.destroy("kek-old")).rejects.toThrow("retire it first");
    expect(await custody.retire("kek-old")).toMatchObject({ canWrap: false });
    await expect(hsm.wrapKey(randomBytes(32))).rejects.toThrow("is retired");
    expect(await hsm.unwrapKey(wrapped)).toHaveLength(32);
    await custody.destroy("kek-old");
    await expect(hsm.unwrapKey(wrapped)).rejects.toMatchObject({ code: "internal" });
    expect((await custody.list()).map(({ label }) => label)).not.toContain("kek-old");
  });

  describe("keys in the module", () => {
    let library: Pkcs11Library;
    let session: Buffer;

    beforeAll(async () => {
      library = await loadPkcs11Library(token.modulePath);
      const slot = library.C_GetSlotList(true).find((one) => library.C_GetTokenInfo(one).label.trim() === token.tokenLabel);
      session = library.C_OpenSession(slot as Buffer, ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION);
    });

    const handleOf = (label: string): Buffer => {
      library.C_FindObjectsInit(session, [
        { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
        { type: ck.CKA_LABEL, value: label },
      ]);
      const [found] = library.C_FindObjects(session, 1);
      library.C_FindObjectsFinal(session);
      return found as Buffer;
    };

    test.each(["kek-1", "kek-shared"])("%s cannot be read, cannot be made extractable, and does nothing but wrap", (label) => {
      const kek = handleOf(label);
      expect(() => library.C_GetAttributeValue(session, kek, [{ type: ck.CKA_VALUE }])).toThrow("CKR_ATTRIBUTE_SENSITIVE");
      expect(() => library.C_SetAttributeValue(session, kek, [{ type: ck.CKA_EXTRACTABLE, value: true }])).toThrow();
      expect(() => library.C_SetAttributeValue(session, kek, [{ type: ck.CKA_SENSITIVE, value: false }])).toThrow();
      for (const type of [ck.CKA_ENCRYPT, ck.CKA_DECRYPT])
        expect(library.C_GetAttributeValue(session, kek, [{ type }])[0]?.value[0]).toBe(0);
      const other = handleOf("kek-2");
      expect(() => library.C_WrapKey(session, { mechanism: ck.CKM_AES_KEY_WRAP }, other, kek, Buffer.alloc(64))).toThrow();
    });

    test("leave nothing of a data key behind when it was wrapped and unwrapped", async () => {
      const hsm = await open(() => token, "kek-1");
      await hsm.unwrapKey(await hsm.wrapKey(randomBytes(32)));
      library.C_FindObjectsInit(session, [
        { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
        { type: ck.CKA_TOKEN, value: false },
      ]);
      const left = library.C_FindObjects(session, 10);
      library.C_FindObjectsFinal(session);
      expect(left).toEqual([]);
    });

    test("one that could leave the module is not used", async () => {
      library.C_GenerateKey(session, { mechanism: ck.CKM_AES_KEY_GEN }, [
        { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
        { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
        { type: ck.CKA_TOKEN, value: true },
        { type: ck.CKA_LABEL, value: "kek-loose" },
        { type: 0x102, value: Buffer.from([1]) },
        { type: ck.CKA_EXTRACTABLE, value: true },
        { type: ck.CKA_WRAP, value: true },
        { type: ck.CKA_UNWRAP, value: true },
        { type: ck.CKA_VALUE_LEN, value: 32 },
      ]);
      await expect(token.hsm("kek-loose")).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("could leave the module"),
      });
      expect((await custody.list()).map(({ label }) => label)).not.toContain("kek-loose");
    });
  });

  test("a module, token or key that is not there is said by name, without the PIN", async () => {
    const { modulePath, tokenLabel } = token;
    const attempts: [string, () => Promise<unknown>][] = [
      ["no key-encryption key labelled nowhere", () => token.hsm("nowhere")],
      ["0 tokens labelled elsewhere", () => openPkcs11Hsm({ modulePath, tokenLabel: "elsewhere", pin: token.pin(), kekLabel: "kek-1" })],
      ["/no/such/module.so", () => openPkcs11Hsm({ modulePath: "/no/such/module.so", tokenLabel, pin: token.pin(), kekLabel: "kek-1" })],
    ];
    for (const [words, attempt] of attempts) {
      const fault = await attempt().catch((thrown: unknown) => thrown as Error);
      expect(fault).toMatchObject({ code: "unavailable", work: "not_done", message: expect.stringContaining(words) });
      expect(String(fault)).not.toContain("482916");
    }
  });

  test("a wrong PIN is tried once: modules lock themselves", async () => {
    const wrong = openPkcs11Custody({
      modulePath: fresh.modulePath,
      tokenLabel: fresh.tokenLabel,
      pin: new Secret(Buffer.from("000000")),
    });
    await expect(wrong.list()).rejects.toThrow("CKR_PIN_INCORRECT");
    await expect(wrong.list()).rejects.toThrow("refused the PIN");
    await wrong.close();
  });

  test("after it is closed it answers nothing", async () => {
    const hsm = await token.hsm("kek-1");
    await hsm.close();
    await hsm.close();
    await expect(hsm.wrapKey(randomBytes(32))).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
  });
});
