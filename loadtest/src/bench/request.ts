/** The request of the bench: one authorization, the body of R26, every key and reference used once. */
import type { Plan } from "./plan.ts";

/** Minor units of request number `number`. */
export const amountOf = (number: number): number => 1_000 + (number % 9_000);

export type RequestPlan = Pick<Plan, "host" | "port" | "path" | "secretKey" | "tokens" | "runId">;

/** Makes the text of request number `number` of this run; the same number gives the same text, so it may be sent again. */
export function requestMaker(plan: RequestPlan): (number: number) => string {
  const head =
    `POST ${plan.path} HTTP/1.1\r\nhost: ${plan.host}:${plan.port}\r\nauthorization: Bearer ${plan.secretKey}\r\n` +
    "content-type: application/json\r\naccept: application/json\r\n";
  return (number) => {
    const name = `${plan.runId}-${number}`;
    const token = plan.tokens[number % plan.tokens.length] ?? "";
    const body = `{"amount":${amountOf(number)},"currency":"EUR","payment_method":{"type":"card","token":"${token}"},"capture_mode":"manual","merchant_reference":"${name}"}`;
    return `${head}idempotency-key: ${name}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  };
}
