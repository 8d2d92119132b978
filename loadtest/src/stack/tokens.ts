/**
 * Payment method tokens for a load: made by the vault from test cards, so that many different ones are looked up and opened.
 */
import { isLuhnValid } from "@florin/kernel";
import type { UpFile } from "./up-file.ts";

const tokensAtOnce = 8;
const requestTimeoutMs = 10_000;

/** Beginnings of the card numbers: one of each brand that the sandbox has. What follows is counted, so that no two tokens have one card. */
const beginnings = [
  { digits: "400000", length: 16 },
  { digits: "510510", length: 16 },
  { digits: "222300", length: 16 },
  { digits: "378282", length: 15 },
  { digits: "601111", length: 16 },
  { digits: "356600", length: 16 },
] as const;

/** A number that no list has, so every issuer approves it, with a right check digit. */
function cardNumber(index: number): string {
  const { digits, length } = beginnings[index % beginnings.length] ?? beginnings[0];
  const counted = String(900_000_000 + Math.floor(index / beginnings.length)).slice(-(length - 7));
  const body = `${digits}${counted}`;
  const numberWith = (check: number) => `${body}${check}`;
  for (let check = 0; check < 10; check++) if (isLuhnValid(Buffer.from(numberWith(check), "latin1"))) return numberWith(check);
  throw new Error("one of ten check digits is right");
}

/**
 * `count` tokens of as many cards. Of one card a merchant may have ten tries under way (the networks' rule on declined ones): a load of
 * n payments at once needs n ÷ 5 cards, or some are refused by rule.
 */
export async function makeTokens(up: UpFile, count: number): Promise<readonly string[]> {
  const tokens: string[] = [];
  for (let start = 0; start < count; start += tokensAtOnce) {
    const numbers = Array.from({ length: Math.min(tokensAtOnce, count - start) }, (_, index) => start + index);
    tokens.push(...(await Promise.all(numbers.map((number) => makeToken(up, number)))));
  }
  return tokens;
}

async function makeToken(up: UpFile, index: number): Promise<string> {
  const number = cardNumber(index);
  const body = {
    card: { number, exp_month: 1 + (index % 12), exp_year: 2031 + (index % 9), cvc: number.startsWith("37") ? "1234" : "123" },
  };
  const response = await fetch(`${up.vaultUrl}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${up.publishableKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  const answer = (await response.json()) as { id?: string; token?: string };
  const token = answer.id ?? answer.token;
  if (!response.ok || token === undefined) throw new Error(`the vault answered ${response.status} to a test card`);
  return token;
}
