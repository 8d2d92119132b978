/**
 * The part of PKCS#11 that the adapter uses, as `pkcs11js` offers it: types and numbers of the standard (v2.40), and how the module is loaded.
 *
 * Written down here because the package is optional: sources must compile, and everything but this adapter run, where it could not be built.
 */

export type Handle = Buffer;
export type Attribute = { readonly type: number; readonly value: Buffer | boolean | number | string };
export type Mechanism = { readonly mechanism: number; readonly parameter?: Buffer };

export interface Pkcs11Library {
  load(path: string): void;
  C_Initialize(options?: { flags: number }): void;
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetTokenInfo(slot: Handle): { label: string };
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_Login(session: Handle, userType: number, pin: string): void;
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void;
  C_FindObjects(session: Handle, objectsMax: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(session: Handle, object: Handle, template: readonly { readonly type: number }[]): { type: number; value: Buffer }[];
  C_SetAttributeValue(session: Handle, object: Handle, template: readonly Attribute[]): void;
  C_CreateObject(session: Handle, template: readonly Attribute[]): Handle;
  C_DestroyObject(session: Handle, object: Handle): void;
  C_GenerateKey(session: Handle, mechanism: Mechanism, template: readonly Attribute[]): Handle;
  C_WrapKey(session: Handle, mechanism: Mechanism, wrappingKey: Handle, key: Handle, target: Buffer): Buffer;
  C_UnwrapKey(session: Handle, mechanism: Mechanism, unwrappingKey: Handle, wrapped: Buffer, template: readonly Attribute[]): Handle;
  C_GenerateRandom(session: Handle, target: Buffer): Buffer;
}

/** Names as in the standard, so that its text can be searched for them. */
export const ck = {
  CKF_OS_LOCKING_OK: 0x2,
  CKF_RW_SESSION: 0x2,
  CKF_SERIAL_SESSION: 0x4,
  CKU_USER: 1,
  CKO_DATA: 0,
  CKO_SECRET_KEY: 4,
  CKK_AES: 0x1f,
  CKA_CLASS: 0x0,
  CKA_TOKEN: 0x1,
  CKA_PRIVATE: 0x2,
  CKA_LABEL: 0x3,
  CKA_APPLICATION: 0x10,
  CKA_VALUE: 0x11,
  CKA_KEY_TYPE: 0x100,
  CKA_ID: 0x102,
  CKA_SENSITIVE: 0x103,
  CKA_ENCRYPT: 0x104,
  CKA_DECRYPT: 0x105,
  CKA_WRAP: 0x106,
  CKA_UNWRAP: 0x107,
  CKA_VALUE_LEN: 0x161,
  CKA_EXTRACTABLE: 0x162,
  CKA_LOCAL: 0x163,
  CKM_AES_KEY_GEN: 0x1080,
  CKM_AES_KEY_WRAP: 0x2109,
  CKR_ENCRYPTED_DATA_INVALID: 0x40,
  CKR_ENCRYPTED_DATA_LEN_RANGE: 0x41,
  CKR_OBJECT_HANDLE_INVALID: 0x82,
  CKR_PIN_INCORRECT: 0xa0,
  CKR_USER_ALREADY_LOGGED_IN: 0x100,
  CKR_WRAPPED_KEY_INVALID: 0x110,
  CKR_WRAPPED_KEY_LEN_RANGE: 0x112,
  CKR_GENERAL_ERROR: 0x5,
  CKR_FUNCTION_FAILED: 0x6,
  CKR_CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const;

/** The return value of a PKCS#11 call that failed; undefined for any other error. */
export function returnValueOf(thrown: unknown): number | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "number" ? thrown.code : undefined;
}

/** Not a literal in `import()`: the compiler and the bundler of nobody must want it. */
const packageName: string = "pkcs11js";

/** The package and the vendor's library, initialised. A library is initialised once per process, whoever of its threads comes first. */
export async function loadPkcs11Library(path: string): Promise<Pkcs11Library> {
  const loaded = (await import(packageName)) as { default: { PKCS11: new () => Pkcs11Library } };
  const library = new loaded.default.PKCS11();
  library.load(path);
  try {
    library.C_Initialize({ flags: ck.CKF_OS_LOCKING_OK });
  } catch (thrown) {
    if (returnValueOf(thrown) !== ck.CKR_CRYPTOKI_ALREADY_INITIALIZED) throw thrown;
  }
  return library;
}
