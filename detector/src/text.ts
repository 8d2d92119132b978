/** The detector for text in memory: fields of a request, lines of a log. */
import { digitsMin } from "./card-number-shape.ts";
import { sextetOf, wordMin } from "./decoders/base64.ts";
import { type Finding, findCardNumbers } from "./find-card-numbers.ts";

/** True when `text` holds a card number in any spelling. Text with few digits and short words, which is nearly all, is only walked over. */
export function holdsCardNumber(text: string): boolean {
  return mayHold(text) && findCardNumbers(bytesOf(text), { isFirstEnough: true }).findings.length > 0;
}

/** What is found in `text`; `start` and `end` count UTF-16 units, as strings do. */
export function findInText(text: string): readonly Finding[] {
  return mayHold(text) ? findCardNumbers(bytesOf(text)).findings : [];
}

const fullWidthZero = 0xff10;
const zero = 0x30;
const question = 0x3f;

/** One byte for one unit, so that places stay. Full-width digits become the digits they are; what else has no byte is of no interest. */
function bytesOf(text: string): Uint8Array {
  if (Buffer.byteLength(text) === text.length) return Buffer.from(text, "latin1");
  return Uint8Array.from(text.split(""), (character) => {
    const unit = character.charCodeAt(0);
    if (unit >= fullWidthZero && unit <= fullWidthZero + 9) return unit - fullWidthZero + zero;
    return unit < 256 ? unit : question;
  });
}

const none = 255;
const capitals = 26;

/** Thirteen digits, or a word that may be an encoding of them (decoders/base64.ts says why with a capital letter). */
function mayHold(text: string): boolean {
  let digits = 0;
  let word = 0;
  let hasCapital = false;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if ((unit >= zero && unit < zero + 10) || (unit >= fullWidthZero && unit < fullWidthZero + 10)) digits += 1;
    const sextet = unit < 256 ? (sextetOf[unit] as number) : none;
    word = sextet === none ? 0 : word + 1;
    if (word === 0) hasCapital = false;
    else if (sextet < capitals) hasCapital = true;
    if (digits >= digitsMin || (hasCapital && word >= wordMin)) return true;
  }
  return false;
}
