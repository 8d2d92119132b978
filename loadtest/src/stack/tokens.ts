/**
 * Payment method tokens for a load: made by the vault from test cards, so that many different ones are looked up and opened.
 */
import type { UpFile } from "./up-file.ts";

const tokensAtOnce = 8;
const requestTimeoutMs = 10_000;

/** Test cards that are always approved. */
const cards = [
  "4242424242424242",
  "4000056655665556",
  "5555555555554444",
  "2223003122003222",
  "5200828282828210",
  "5105105105105100",
  "378282246310005",
  "6011111111111117",
  "30569309025904",
  "3566002020360505",
] as const;

/** `count` tokens of different cards and expiries. */
export async function makeTokens(up: UpFile, count: number): Promise<readonly string[]> {
  const tokens: string[] = [];
  for (let start = 0; start < count; start += tokensAtOnce) {
    const numbers = Array.from({ length: Math.min(tokensAtOnce, count - start) }, (_, index) => start + index);
    tokens.push(...(await Promise.all(numbers.map((number) => makeToken(up, number)))));
  }
  return tokens;
}

async function makeToken(up: UpFile, number: number): Promise<string> {
  const card = cards[number % cards.length] ?? cards[0];
  const body = {
    card: { number: card, exp_month: 1 + (number % 12), exp_year: 2031 + (number % 9), cvc: card.startsWith("37") ? "1234" : "123" },
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
