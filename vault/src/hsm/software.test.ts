import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { Secret } from "@florin/kernel";
import { temporaryFolder } from "@florin/runtime/testing";
import { expect, test } from "vitest";
import { hsmConformance } from "./conformance.ts";
import { createSoftwareHsm } from "./software.ts";

const kekOf = (byte: number) => new Secret(Buffer.alloc(32, byte));

const generationFile = join(temporaryFolder(), "generation");

hsmConformance("the software adapter", {
  open: async () => createSoftwareHsm({ kek: kekOf(1), environment: "sandbox", generationFile }),
  openOther: async () => createSoftwareHsm({ kek: kekOf(2), environment: "sandbox", generationFile }),
  openRotated: async () => createSoftwareHsm({ kek: kekOf(3), unwrapOnly: kekOf(1), environment: "sandbox", generationFile }),
});

test("a generation file that holds no number is refused, and the error does not quote it", async () => {
  const path = join(temporaryFolder(), "generation");
  writeFileSync(path, "4242 not a number");
  const hsm = createSoftwareHsm({ kek: kekOf(1), environment: "sandbox", generationFile: path });
  await expect(hsm.readGeneration()).rejects.toThrow(`${path} holds no generation of the key ring`);
  await expect(hsm.raiseGeneration(9)).rejects.toThrow("holds no generation");
});

test("the software adapter writes what RFC 3394 says (§4.6: 256 bits of key data with a 256-bit KEK)", async () => {
  const kek = Buffer.from("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "hex");
  const hsm = createSoftwareHsm({ kek: new Secret(kek), environment: "sandbox" });
  const { bytes } = await hsm.wrapKey(Buffer.from("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F", "hex"));
  expect(Buffer.from(bytes).toString("hex").toUpperCase()).toBe(
    "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
  );
});

test("it wipes the key it was given, and never prints one", async () => {
  const kek = kekOf(7);
  const hsm = createSoftwareHsm({ kek, environment: "sandbox" });
  expect(kek.expose()).toEqual(Buffer.alloc(32));
  expect(`${inspect(hsm)}${JSON.stringify(hsm)}`).not.toContain("0707");
});

test("production refuses it", () => {
  expect(() => createSoftwareHsm({ kek: kekOf(1), environment: "production" })).toThrow(/refused in production/);
});
