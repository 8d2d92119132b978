/**
 * Which secrets production refuses: those of sandboxes and examples, and those that somebody made up instead of having them drawn.
 *
 * Answers a problem that never quotes the value. What passes is not proven random: it is only none of the mistakes that are made.
 */

/** Begins every secret of a sandbox that is bytes in hex; `sandboxWord` begins those that are text. A drawn key begins so once in 2^32. */
export const sandboxMark = "5a4db0c5";
export const sandboxWord = "sandbox_";

const publicWords =
  /change.?me|passw(ord)?|secret|example|sandbox|default|sample|demo|dummy|letmein|qwerty|postgres|florin|admin|test|hunter2?|0?1234567*8*9*|abcdef/gi;
const passwordLengthMin = 12;
/** 32 drawn bytes have fewer than 16 different ones once in 10^12; of 16 bytes, 8 likewise. */
const differentShareMin = 0.5;

/** Undefined for bytes that look drawn. */
export function weaknessOfKey(bytes: Uint8Array): string | undefined {
  const hex = Buffer.from(bytes).toString("hex");
  if (hex.startsWith(sandboxMark)) return "is a key of a sandbox";
  if (new Set(bytes).size < bytes.length * differentShareMin || isHalfTwice(bytes)) return "repeats itself: have it drawn at random";
  if (isEvenlySpaced(bytes)) return "counts: have it drawn at random";
  if (bytes.every((byte) => byte >= 0x20 && byte < 0x7f)) return "is text: have it drawn at random";
  return undefined;
}

/** Undefined for a password or key in letters that is long enough and nobody's first guess. `lengthMin` in characters, at least 12 unless given. */
export function weaknessOfPassword(password: string, lengthMin = passwordLengthMin): string | undefined {
  if (password === "") return "is empty";
  if (password.toLowerCase().includes(sandboxWord)) return "is one of a sandbox";
  if (password.length < lengthMin) return `is shorter than ${lengthMin} characters`;
  if (password.replaceAll(publicWords, "").length < Math.min(lengthMin, passwordLengthMin) && password.search(publicWords) >= 0)
    return "is made of words that everybody tries";
  if (new Set(password).size < Math.min(lengthMin / 2, 8)) return "repeats itself";
  if (isEvenlySpaced(Buffer.from(password))) return "counts";
  return undefined;
}

/** Two keys of triple DES that are one and the same are a key of single DES. */
function isHalfTwice(bytes: Uint8Array): boolean {
  const half = bytes.length / 2;
  return bytes.length > 1 && bytes.every((byte, index) => index >= half || byte === bytes[index + half]);
}

/** 00 01 02 …, 12345678, ff fe fd … */
function isEvenlySpaced(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return true;
  const step = second - first;
  return bytes.every((byte, index) => byte === (((first + index * step) % 256) + 256) % 256);
}
