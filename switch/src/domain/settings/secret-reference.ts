/**
 * Secrets stand in the settings by reference only: where the process that needs one finds it. The settings are read by many, kept for ever
 * and printed by tools; what has once been in them is no secret any more.
 *
 * The guess at what looks like a secret is the second guard: the first is that every text of the document has a closed form.
 */
import { holdsCardNumber } from "@florin/detector";
import { isId } from "@florin/kernel";

/** "file:/run/secrets/simpay", an absolute path without steps upwards; or "env:FLORIN_SECRET_SIMPAY". Which files and variables may be named is for the connectors to say. */
export const secretReference = /^(?:env:[A-Z][A-Z0-9_]{0,127}|file:(?:\/(?!\.{1,2}(?:\/|$))[\w.@-]{1,100}){1,16})$/;

/** What cannot be told from a value without being one: keys, tokens, a URL with a password. */
const marks: readonly RegExp[] = [
  /-----BEGIN/,
  /(?:^|[^a-z])(?:sk|rk|pk|whsec)_(?:live|test)_/i,
  /AKIA[0-9A-Z]{16}/,
  // From the beginning of a run only: looked for at each "eyJ" of it, a long one would be read over and over.
  /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}/,
  /gh[pousr]_\w{16}|xox[abprs]-\w/,
  /:\/\/[^/\s:@]*:[^/\s@]+@/,
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i,
];
/** Letters and digits in one run, as no name has them and everything that was drawn has. */
const run = /[A-Za-z0-9+=]{20,}/g;
const differentMin = 10;
/** Card numbers have thirteen digits and more, and every mark has more letters or other signs. A table of issuer ranges has thousands of such texts. */
const tooShortForOne = /^[A-Za-z0-9]{1,12}$/;

/** True for a text that is likely a secret or a card number. It is never repeated in an answer. */
export function looksSecret(text: string): boolean {
  if (tooShortForOne.test(text) || isId("merchant", text)) return false;
  if (marks.some((mark) => mark.test(text)) || holdsCardNumber(text)) return true;
  return (text.match(run) ?? []).some((one) => /\d/.test(one) && /[A-Za-z]/.test(one) && new Set(one).size >= differentMin);
}
