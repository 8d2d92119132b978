/**
 * DE 48 as subelements: two digits of tag, two of length, the value. The manner of the large networks; which tags there are is the
 * processor's affair. A security code is one of them (92), so that the whole is bytes that are wiped.
 */
import { assert, makeSecretBytes, Secret } from "@florin/kernel";

export type SubElement = { /** Two digits. */ readonly tag: string /** Up to 99 ASCII characters. */; readonly value: string | Secret };

const headBytes = 4;
const valueBytesMax = 99;
const zero = 0x30;

export function writePrivateData(elements: readonly SubElement[]): Secret {
  const lengths = elements.map(({ value }) => (typeof value === "string" ? value.length : value.expose().length));
  const bytes = makeSecretBytes(lengths.reduce((sum, length) => sum + headBytes + length, 0));
  let at = 0;
  for (const [index, { tag, value }] of elements.entries()) {
    const length = lengths[index] as number;
    assert(/^\d\d$/.test(tag) && length <= valueBytesMax, "a subelement has a tag of two digits and at most 99 characters");
    at = writeText(`${tag}${String(length).padStart(2, "0")}`, bytes, at);
    if (typeof value === "string") at = writeText(value, bytes, at);
    else {
      bytes.set(value.expose(), at);
      at += length;
    }
  }
  return new Secret(bytes, "[DE 48]");
}

function writeText(text: string, bytes: Uint8Array, start: number): number {
  for (let index = 0; index < text.length; index++) bytes[start + index] = text.charCodeAt(index);
  return start + text.length;
}

/** The value of a subelement as text; empty when there is none, or when the field is not made of subelements up to there. */
export function textInPrivateData(data: Secret, tag: string): string {
  const bytes = data.expose();
  for (let at = 0; at + headBytes <= bytes.length; ) {
    const length = ((bytes[at + 2] as number) - zero) * 10 + (bytes[at + 3] as number) - zero;
    const end = at + headBytes + length;
    if (!(length >= 0 && length <= valueBytesMax) || end > bytes.length) return "";
    if (bytes[at] === tag.charCodeAt(0) && bytes[at + 1] === tag.charCodeAt(1))
      return Buffer.from(bytes.subarray(at + headBytes, end)).toString("latin1");
    at = end;
  }
  return "";
}
