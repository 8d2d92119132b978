/**
 * One session with one token, found by its label: slot numbers change when tokens are made, labels do not. Synchronous; lives in a worker thread.
 *
 * Invariants
 * - a KEK is used only when the module says it is sensitive and cannot be extracted;
 * - a KEK is named by its CKA_ID, so its name survives a new label, and an old KEK is found by the name that stands beside a wrapped key;
 * - a data key is in the module only as an object of this session, and only for one call.
 */
import { createHash } from "node:crypto";
import { assert } from "@florin/kernel";
import { type Attribute, ck, type Handle, type Pkcs11Library, returnValueOf } from "./pkcs11-module.ts";
import type { KekFacts, WrappedKey } from "./port.ts";
import { dataKeyBytes, unusable, wrappedKeyBytes } from "./unusable.ts";

const objectsMax = 256;
const kekIdBytes = 8;
const generationLabel = "florin-key-generation";
const generationBytes = 8;
const generationTriesMax = 10;
const wrapMechanism = { mechanism: ck.CKM_AES_KEY_WRAP };

type Kek = KekFacts & { readonly handle: Handle };
type Candidate = { readonly kek: Kek; readonly problem: string | undefined };

export class Pkcs11Token {
  readonly #library: Pkcs11Library;
  readonly #session: Handle;

  /** Opens a session and logs in. Throws an Error when there is no token, or more than one, of this label. */
  constructor(library: Pkcs11Library, tokenLabel: string, pin: string) {
    const slots = library.C_GetSlotList(true).filter((slot) => library.C_GetTokenInfo(slot).label.trim() === tokenLabel);
    const [slot] = slots;
    if (slot === undefined || slots.length > 1) throw new Error(`the module has ${slots.length} tokens labelled ${tokenLabel}, not one`);
    this.#library = library;
    this.#session = library.C_OpenSession(slot, ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION);
    try {
      library.C_Login(this.#session, ck.CKU_USER, pin);
    } catch (thrown) {
      // Login is a state of the whole process.
      if (returnValueOf(thrown) !== ck.CKR_USER_ALREADY_LOGGED_IN) throw thrown;
    }
  }

  /** Every AES key of the token that can unwrap, is named and cannot leave it. Others of a shared token are none of ours. */
  listKeks(): readonly Kek[] {
    return this.#candidates().flatMap(({ kek, problem }) => (problem === undefined ? [kek] : []));
  }

  /** The one KEK of this label. Throws an Error when there is none, more than one, or one that is not safe to use. */
  kekOf(label: string): Kek {
    const [first, ...others] = this.#candidates().filter(({ kek }) => kek.label === label);
    if (first === undefined) throw new Error(`the token has no key-encryption key labelled ${label}`);
    if (others.length > 0) throw new Error(`the token has more than one key-encryption key labelled ${label}`);
    if (first.problem !== undefined) throw new Error(`the key labelled ${label} ${first.problem}`);
    return first.kek;
  }

  /** 40 bytes. `label` names the KEK. */
  wrap(label: string, key: Uint8Array): WrappedKey {
    assert(key.length === dataKeyBytes, "a data key has 32 bytes");
    const kek = this.kekOf(label);
    if (!kek.canWrap) throw new Error(`the key-encryption key labelled ${label} is retired`);
    return { bytes: this.#wrapUnder(kek.handle, key), kekId: kek.kekId };
  }

  /** The data key; throws AppError internal when it does not unwrap. */
  unwrap({ bytes, kekId }: WrappedKey): Buffer {
    const kek = this.listKeks().find((one) => one.kekId === kekId);
    if (kek === undefined) throw unusable("was wrapped by another key-encryption key");
    if (bytes.length !== wrappedKeyBytes) throw unusable("has the wrong length");
    const template = [...sessionKey, { type: ck.CKA_SENSITIVE, value: false }, { type: ck.CKA_EXTRACTABLE, value: true }];
    let handle: Handle;
    try {
      handle = this.#library.C_UnwrapKey(this.#session, wrapMechanism, kek.handle, Buffer.from(bytes), template);
    } catch (thrown) {
      // SoftHSM says "general error" for a flipped bit.
      if (unusableReturns.has(returnValueOf(thrown))) throw unusable("does not unwrap");
      throw thrown;
    }
    try {
      const value = this.#read(handle, ck.CKA_VALUE);
      if (value.length !== dataKeyBytes) throw unusable("has the wrong length");
      return value;
    } finally {
      this.#library.C_DestroyObject(this.#session, handle);
    }
  }

  randomBytes(length: number): Buffer {
    return this.#library.C_GenerateRandom(this.#session, Buffer.from(new ArrayBuffer(length)));
  }

  readGeneration(): number {
    return this.#generations().reduce((highest, { value }) => Math.max(highest, value), 0);
  }

  /** The new number is there before the old ones go, so a crash between the two, or another process beside, never lowers it. */
  raiseGeneration(generation: number): void {
    if (generation <= this.readGeneration()) return;
    const value = Buffer.alloc(generationBytes);
    value.writeBigUInt64BE(BigInt(generation));
    this.#library.C_CreateObject(this.#session, [...generationObject, { type: ck.CKA_VALUE, value }]);
    this.#untilUndisturbed(() => {
      for (const old of this.#generations()) if (old.value < generation) this.#library.C_DestroyObject(this.#session, old.handle);
    });
  }

  createKek(label: string): KekFacts {
    this.#mustBeFree(label);
    const handle = this.#library.C_GenerateKey(this.#session, { mechanism: ck.CKM_AES_KEY_GEN }, [
      ...kekTemplate(label),
      { type: ck.CKA_VALUE_LEN, value: dataKeyBytes },
    ]);
    return this.#nameKek(handle);
  }

  importKek(label: string, key: Uint8Array): KekFacts {
    assert(key.length === dataKeyBytes, "a key-encryption key has 32 bytes");
    this.#mustBeFree(label);
    const value = Buffer.from(key.buffer, key.byteOffset, key.length);
    return this.#nameKek(this.#library.C_CreateObject(this.#session, [...kekTemplate(label), { type: ck.CKA_VALUE, value }]));
  }

  retireKek(label: string): KekFacts {
    const { handle } = this.kekOf(label);
    this.#library.C_SetAttributeValue(this.#session, handle, [{ type: ck.CKA_WRAP, value: false }]);
    return this.#describe(handle).kek;
  }

  destroyKek(label: string): void {
    const kek = this.kekOf(label);
    if (kek.canWrap) throw new Error(`the key-encryption key labelled ${label} is in use: retire it first`);
    this.#library.C_DestroyObject(this.#session, kek.handle);
  }

  close(): void {
    this.#library.C_CloseSession(this.#session);
  }

  #mustBeFree(label: string): void {
    if (this.#candidates().some(({ kek }) => kek.label === label))
      throw new Error(`the token already has a key-encryption key labelled ${label}`);
  }

  /** Names it by what it does to fixed bytes: AES key wrap has no randomness, and tells nothing about the key. */
  #nameKek(handle: Handle): KekFacts {
    const known = createHash("sha256").update("florin.kek.1").digest();
    const id = createHash("sha256").update(this.#wrapUnder(handle, known)).digest().subarray(0, kekIdBytes);
    this.#library.C_SetAttributeValue(this.#session, handle, [{ type: ck.CKA_ID, value: id }]);
    return this.#describe(handle).kek;
  }

  #wrapUnder(kek: Handle, key: Uint8Array): Buffer {
    const value = Buffer.from(key.buffer, key.byteOffset, key.length);
    const handle = this.#library.C_CreateObject(this.#session, [
      ...sessionKey,
      { type: ck.CKA_VALUE, value },
      { type: ck.CKA_EXTRACTABLE, value: true },
    ]);
    try {
      return this.#library.C_WrapKey(this.#session, wrapMechanism, kek, handle, Buffer.alloc(wrappedKeyBytes));
    } finally {
      this.#library.C_DestroyObject(this.#session, handle);
    }
  }

  #candidates(): readonly Candidate[] {
    const found = this.#find([
      { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
      { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
      { type: ck.CKA_TOKEN, value: true },
      { type: ck.CKA_UNWRAP, value: true },
    ]);
    return found.map((handle) => this.#describe(handle));
  }

  #describe(handle: Handle): Candidate {
    const id = this.#read(handle, ck.CKA_ID);
    const kek = {
      handle,
      label: this.#read(handle, ck.CKA_LABEL).toString("utf8"),
      kekId: `pkcs11:${id.toString("hex")}`,
      canWrap: this.#isTrue(handle, ck.CKA_WRAP),
      isMadeInModule: this.#isTrue(handle, ck.CKA_LOCAL),
    };
    if (!this.#isTrue(handle, ck.CKA_SENSITIVE) || this.#isTrue(handle, ck.CKA_EXTRACTABLE))
      return { kek, problem: "could leave the module: it must be sensitive and not extractable" };
    return { kek, problem: id.length === 0 ? "has no CKA_ID, by which it is named" : undefined };
  }

  #generations(): { handle: Handle; value: number }[] {
    return this.#untilUndisturbed(() =>
      this.#find(generationObject).map((handle) => ({ handle, value: Number(this.#read(handle, ck.CKA_VALUE).readBigUInt64BE()) })),
    );
  }

  /** Another process may destroy a lower number between our search and what we do with what was found: then it is searched anew. */
  #untilUndisturbed<Answer>(work: () => Answer): Answer {
    for (let tries = 1; ; tries++) {
      try {
        return work();
      } catch (thrown) {
        if (tries >= generationTriesMax || !goneReturns.has(returnValueOf(thrown))) throw thrown;
      }
    }
  }

  #find(template: readonly Attribute[]): Handle[] {
    this.#library.C_FindObjectsInit(this.#session, template);
    try {
      return this.#library.C_FindObjects(this.#session, objectsMax);
    } finally {
      this.#library.C_FindObjectsFinal(this.#session);
    }
  }

  #read(handle: Handle, type: number): Buffer {
    const [attribute] = this.#library.C_GetAttributeValue(this.#session, handle, [{ type }]);
    assert(attribute !== undefined, "the module answers the attribute it was asked for");
    return attribute.value;
  }

  #isTrue(handle: Handle, type: number): boolean {
    return this.#read(handle, type)[0] === 1;
  }
}

const sessionKey: readonly Attribute[] = [
  { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
  { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
  { type: ck.CKA_TOKEN, value: false },
];

const generationObject: readonly Attribute[] = [
  { type: ck.CKA_CLASS, value: ck.CKO_DATA },
  { type: ck.CKA_TOKEN, value: true },
  { type: ck.CKA_PRIVATE, value: true },
  { type: ck.CKA_APPLICATION, value: "florin" },
  { type: ck.CKA_LABEL, value: generationLabel },
];

/** It wraps and unwraps, nothing else: a key that also decrypts would give out what it wrapped. */
function kekTemplate(label: string): readonly Attribute[] {
  return [
    { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
    { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
    { type: ck.CKA_TOKEN, value: true },
    { type: ck.CKA_PRIVATE, value: true },
    { type: ck.CKA_SENSITIVE, value: true },
    { type: ck.CKA_EXTRACTABLE, value: false },
    { type: ck.CKA_WRAP, value: true },
    { type: ck.CKA_UNWRAP, value: true },
    { type: ck.CKA_ENCRYPT, value: false },
    { type: ck.CKA_DECRYPT, value: false },
    { type: ck.CKA_LABEL, value: label },
  ];
}

/** SoftHSM says "general error" of an object that another one destroys at this moment, and "function failed" when both destroy it. */
const goneReturns: ReadonlySet<number | undefined> = new Set<number>([
  ck.CKR_OBJECT_HANDLE_INVALID,
  ck.CKR_GENERAL_ERROR,
  ck.CKR_FUNCTION_FAILED,
]);

const unusableReturns: ReadonlySet<number | undefined> = new Set<number>([
  ck.CKR_ENCRYPTED_DATA_INVALID,
  ck.CKR_ENCRYPTED_DATA_LEN_RANGE,
  ck.CKR_WRAPPED_KEY_INVALID,
  ck.CKR_WRAPPED_KEY_LEN_RANGE,
  ck.CKR_GENERAL_ERROR,
]);
