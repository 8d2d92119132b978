/**
 * Tokens as they leave the generator: no two alike, every character as often as every other.
 *
 * The statistic is printed. Its bound is so far out that a fair generator crosses it once in a million runs, while one with a lame bit among 128 crosses it every
 * time.
 */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { makeToken, tokenRandomBytes } from "./token.ts";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const count = 100_000;
const pMin = 1e-6;

/** How likely a fair source strays so far (Wilson and Hilferty's approximation, good to a few per cent at these degrees of freedom). */
function pOfChiSquare(statistic: number, freedom: number): number {
  const spread = 2 / (9 * freedom);
  const z = (Math.cbrt(statistic / freedom) - (1 - spread)) / Math.sqrt(spread);
  return tailOfNormal(z);
}

/** Abramowitz and Stegun 26.2.17, relative error below 1e-3 as far as it is used here. */
function tailOfNormal(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return z > 0 ? tail : 1 - tail;
}

/** Over all places at once. The first character holds three bits, the others five. */
function chiSquareOf(tokens: readonly string[]): { statistic: number; freedom: number } {
  const length = 26;
  const seen = Array.from({ length }, () => new Map<string, number>());
  for (const token of tokens)
    for (let place = 0; place < length; place++) {
      const character = token[4 + place] ?? "";
      seen[place]?.set(character, (seen[place]?.get(character) ?? 0) + 1);
    }
  let [statistic, freedom] = [0, 0];
  for (const [place, counts] of seen.entries()) {
    const characters = place === 0 ? alphabet.slice(0, 8) : alphabet;
    const expected = tokens.length / characters.length;
    for (const character of characters) statistic += ((counts.get(character) ?? 0) - expected) ** 2 / expected;
    freedom += characters.length - 1;
  }
  return { statistic, freedom };
}

const make = (bytes: (length: number) => Uint8Array) => Array.from({ length: count }, () => makeToken(bytes(tokenRandomBytes)));

test("tokens do not repeat, and no character is more likely than another", () => {
  const tokens = make(randomBytes);
  expect(new Set(tokens).size).toBe(count);
  const { statistic, freedom } = chiSquareOf(tokens);
  const p = pOfChiSquare(statistic, freedom);
  process.stdout.write(`chi-square ${statistic.toFixed(1)} with ${freedom} degrees of freedom, p = ${p.toPrecision(3)}\n`);
  expect(p).toBeGreaterThan(pMin);
  // As even as that is no chance either: a counter would be.
  expect(p).toBeLessThan(1 - pMin);
});

test("the test notices a generator of which one bit is set in 11 of 20 tokens", () => {
  const tokens = make((length) => {
    const bytes = randomBytes(length);
    if ((bytes[8] ?? 0) < 26) bytes[7] = (bytes[7] ?? 0) | 1;
    return bytes;
  });
  const { statistic, freedom } = chiSquareOf(tokens);
  expect(pOfChiSquare(statistic, freedom)).toBeLessThan(pMin);
});
