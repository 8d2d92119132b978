/** What a connector reported about one operation, in the domain's words. Only "surely never left" is `not_sent`. */
import type { DeclineReason } from "@florin/kernel";

export type ProcessorWords = {
  readonly processorReference: string;
  readonly responseCode: string;
  readonly authCode: string;
  readonly avs: string;
  readonly cvv: string;
};

export type Outcome =
  /** `isFinal` is false while the processor has only accepted (refunds). */
  | { readonly kind: "approved"; readonly words: ProcessorWords; readonly isFinal: boolean }
  | { readonly kind: "declined"; readonly words: ProcessorWords; readonly reason: DeclineReason }
  | { readonly kind: "not_sent"; readonly cause: string }
  | { readonly kind: "unknown"; readonly cause: string };
