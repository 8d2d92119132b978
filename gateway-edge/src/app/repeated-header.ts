/** Headers that may stand in a request once only. Node joins what stands there twice to one text, which then looks like one value. */
import { invalid } from "@florin/kernel";

/** Throws AppError (not_done) when two idempotency keys came with one request: two names are no name. */
export function refuseTwoKeys(joined: string | undefined, rawHeaders: readonly string[]): void {
  // A single key may hold a comma too, so the raw list decides; it is walked for such keys only.
  if (joined?.includes(", ") !== true) return;
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) if (rawHeaders[index]?.toLowerCase() === "idempotency-key") count += 1;
  if (count > 1) throw invalid("idempotency_key_invalid", "Idempotency-Key must be sent once", "Idempotency-Key");
}
