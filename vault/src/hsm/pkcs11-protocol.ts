/** What the adapter and its thread say to each other. One question at a time; the thread answers in order. */
import type { KekFacts } from "./port.ts";

export type Pkcs11Question =
  | { readonly kind: "wrap"; readonly label: string; readonly key: Uint8Array }
  | { readonly kind: "unwrap"; readonly bytes: Uint8Array; readonly kekId: string }
  | { readonly kind: "random"; readonly length: number }
  | { readonly kind: "read_generation" }
  | { readonly kind: "raise_generation"; readonly generation: number }
  | { readonly kind: "kek"; readonly label: string }
  | { readonly kind: "list_keks" }
  | { readonly kind: "create_kek"; readonly label: string }
  | { readonly kind: "import_kek"; readonly label: string; readonly key: Uint8Array }
  | { readonly kind: "retire_kek"; readonly label: string }
  | { readonly kind: "destroy_kek"; readonly label: string }
  | { readonly kind: "close" };

export type Pkcs11Answers = {
  readonly wrap: { readonly bytes: Uint8Array; readonly kekId: string };
  readonly unwrap: Uint8Array;
  readonly random: Uint8Array;
  readonly read_generation: number;
  readonly raise_generation: undefined;
  readonly kek: KekFacts;
  readonly list_keks: readonly KekFacts[];
  readonly create_kek: KekFacts;
  readonly import_kek: KekFacts;
  readonly retire_kek: KekFacts;
  readonly destroy_kek: undefined;
  readonly close: undefined;
};

/** `unusable`: the wrapped key is at fault, not the module. */
export type Pkcs11Reply =
  | { readonly ok: true; readonly value: Pkcs11Answers[keyof Pkcs11Answers] }
  | { readonly ok: false; readonly isUnusable: boolean; readonly message: string };

/** What the thread is given at its start. The PIN stays, for a session that has to be opened again. */
export type Pkcs11Place = { readonly modulePath: string; readonly tokenLabel: string; readonly pin: Uint8Array };
