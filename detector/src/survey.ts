/**
 * What a piece of bytes may hold, by one pass over them: which of the decoders have anything to look for. Nearly every line of a log and every
 * value of a field ends here.
 */
import { digitsMin } from "./card-number-shape.ts";
import { sextetOf, wordMin } from "./decoders/base64.ts";
import { mayBeMagic } from "./decoders/packed.ts";

export type Survey = {
  digits: number;
  /** The longest run of characters of base64; hex words are among them. */
  longestWord: number;
  zeros: number;
  commas: number;
  /** Percent signs, backslashes, ampersands with "#", equal signs. */
  hasEscape: boolean;
  hasWideDigit: boolean;
  hasMagic: boolean;
};

const isDigit = 1;
const isZero = 2;
const isComma = 3;
const isEscape = 4;
const isWide = 5;
const isMagic = 6;
const isEqual = 7;
const equals = 0x3d;

const classes = new Uint8Array(256);
for (let byte = 0x30; byte <= 0x39; byte++) classes[byte] = isDigit;
for (const [byte, kind] of [
  [0x00, isZero],
  [0x2c, isComma],
  [0x25, isEscape],
  [0x5c, isEscape],
  [0x26, isEscape],
  [0xef, isWide],
  [0x1f, isMagic],
  [0x78, isMagic],
  [0x28, isMagic],
  [0x50, isMagic],
  [equals, isEqual],
] as const)
  classes[byte] = kind;

export function surveyOf(bytes: Uint8Array): Survey {
  const survey: Survey = { digits: 0, longestWord: 0, zeros: 0, commas: 0, hasEscape: false, hasWideDigit: false, hasMagic: false };
  const { length } = bytes;
  let wordStart = 0;
  for (let index = 0; index < length; index++) {
    const byte = bytes[index] as number;
    if (sextetOf[byte] === 255) {
      if (index - wordStart > survey.longestWord) survey.longestWord = index - wordStart;
      wordStart = index + 1;
    }
    const kind = classes[byte];
    if (kind === 0) continue;
    if (kind === isDigit) survey.digits += 1;
    else if (kind === isZero) survey.zeros += 1;
    else if (kind === isComma) survey.commas += 1;
    else if (kind === isEscape) survey.hasEscape = true;
    // "=34=32…" of mail; a lone equal sign is in every query.
    else if (kind === isEqual) survey.hasEscape ||= bytes[index + 3] === equals && bytes[index + 6] === equals;
    else if (kind === isWide) survey.hasWideDigit ||= bytes[index + 1] === 0xbc;
    else survey.hasMagic ||= mayBeMagic(bytes, index);
  }
  survey.longestWord = Math.max(survey.longestWord, length - wordStart);
  return survey;
}

/**
 * Whether it is worth looking into what was decoded: the answers of the survey, of which one suffices, without the list. Most of what decoders give is
 * noise, read at a wrong place, and ends here.
 */
export function mayHoldNumber(bytes: Uint8Array, size: number): boolean {
  let digits = 0;
  let zeros = 0;
  let word = 0;
  for (let index = 0; index < size; index++) {
    const byte = bytes[index] as number;
    word = sextetOf[byte] === 255 ? 0 : word + 1;
    const kind = classes[byte];
    if (kind === isDigit) digits += 1;
    else if (kind === isZero) zeros += 1;
    else if (kind === isWide && bytes[index + 1] === 0xbc) digits += 1;
    else if (kind === isMagic && mayBeMagic(bytes, index)) return true;
    if (digits >= digitsMin || zeros >= digitsMin - 1 || word >= wordMin) return true;
  }
  return false;
}
