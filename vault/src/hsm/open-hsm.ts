/** Which adapter guards the key-encryption keys, from the settings of the process. What is missing is said by the name of its setting. */
import type { Secret } from "@florin/kernel";
import { openPkcs11Custody, openPkcs11Hsm, type Pkcs11Options } from "./pkcs11.ts";
import type { Hsm, KekCustody } from "./port.ts";
import { createSoftwareHsm } from "./software.ts";

export type HsmSettings = {
  readonly environment: "sandbox" | "production";
  readonly hsm: "software" | "pkcs11";
  readonly kek: Secret | undefined;
  readonly kekUnwrapOnly: Secret | undefined;
  readonly kekGenerationFile: string;
  readonly hsmModule: string;
  readonly hsmTokenLabel: string;
  readonly hsmPin: Secret | undefined;
  readonly hsmKekLabel: string;
};

/** Throws an Error when a setting of the chosen adapter is missing; rejects with AppError unavailable when its module is away. */
export async function openHsm(settings: HsmSettings): Promise<Hsm> {
  if (settings.hsm === "pkcs11") {
    const place = pkcs11Place(settings);
    return openPkcs11Hsm({ ...place, kekLabel: given(settings.hsmKekLabel, "FLORIN_HSM_KEK_LABEL") });
  }
  const { kek, kekUnwrapOnly, environment, kekGenerationFile } = settings;
  if (kek === undefined && environment === "sandbox")
    throw new Error("FLORIN_KEK is required: the key-encryption key of the software key store");
  return createSoftwareHsm({ kek, unwrapOnly: kekUnwrapOnly, environment, generationFile: kekGenerationFile });
}

/** The KEKs of a module, for custodians. Throws an Error for the software key store: its key is a setting, there is nothing to manage. */
export function openCustody(settings: HsmSettings): KekCustody {
  if (settings.hsm !== "pkcs11")
    throw new Error("the software key store has no keys to manage: FLORIN_KEK is its key. Set FLORIN_HSM=pkcs11 for a module");
  return openPkcs11Custody(pkcs11Place(settings));
}

function pkcs11Place(settings: HsmSettings): Pkcs11Options {
  return {
    modulePath: given(settings.hsmModule, "FLORIN_HSM_MODULE"),
    tokenLabel: given(settings.hsmTokenLabel, "FLORIN_HSM_TOKEN_LABEL"),
    pin: given(settings.hsmPin, "FLORIN_HSM_PIN"),
  };
}

function given<T extends Secret | string>(value: T | undefined, env: string): T {
  if (value === undefined || value === "") throw new Error(`${env} is required with FLORIN_HSM=pkcs11`);
  return value;
}
