/** The request of the bench: one authorization, the body of R26, every key and reference used once. */
import type { Plan } from "./plan.ts";

/** Makes the text of request number `number` of this run. */
export function requestMaker(plan: Plan): (number: number) => string {
  const head =
    `POST ${plan.path} HTTP/1.1\r\nhost: ${plan.host}:${plan.port}\r\nauthorization: Bearer ${plan.secretKey}\r\n` +
    "content-type: application/json\r\naccept: application/json\r\n";
  return (number) => {
    const name = `${plan.runId}-${number}`;
    const token = plan.tokens[number % plan.tokens.length] ?? "";
    const body = `{"amount":${1_000 + (number % 9_000)},"currency":"EUR","payment_method":{"type":"card","token":"${token}"},"capture_mode":"manual","merchant_reference":"${name}"}`;
    return `${head}idempotency-key: ${name}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  };
}
