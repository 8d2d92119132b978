/** How adapters say that a wrapped key is not usable: the same words from each, and nothing of what a cipher or a module said about it. */
import { AppError } from "@florin/kernel";

export type UnusableReason = "was wrapped by another key-encryption key" | "has the wrong length" | "does not unwrap";

export const dataKeyBytes = 32;
/** RFC 3394: eight bytes more than the key. */
export const wrappedKeyBytes = 40;

export function unusable(why: UnusableReason): AppError {
  return new AppError("internal", `a data key is unusable: it ${why}`, { work: "not_done" });
}
