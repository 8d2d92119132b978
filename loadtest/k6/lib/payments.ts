/**
 * A merchant's calls. Each one that is answered for good becomes one line on the console, which the runner keeps in a file for `verify`:
 *
 *   ok <operation> <payment> <amount>      the answer was yes
 *   no <operation> <status> <reference>    the answer was no: nothing happened
 *   unsure <operation> <status> <reference or payment> <amount>   no final answer: it may have happened
 *
 * A merchant repeats what it is unsure of with the same key; so does this one, a few times.
 */
import { sleep } from "k6";
import http, { type RefinedResponse } from "k6/http";
import { Counter, Trend } from "k6/metrics";
import { edgeUrl, runId, secretKey, tokens } from "./settings.ts";

type Operation = "authorize" | "capture" | "refund";
type Answer = RefinedResponse<"text">;

export type Held = { readonly id: string; readonly amount: number; captured: number; refunded: number };

const triesMax = 3;
const retryAfterSecondsMax = 2;
const requestTimeout = "30s";

export const accepted = new Counter("florin_accepted");
export const refused = new Counter("florin_refused");
export const unsure = new Counter("florin_unsure");
const durations: Readonly<Record<Operation | "get", Trend>> = {
  authorize: new Trend("florin_authorize_duration", true),
  capture: new Trend("florin_capture_duration", true),
  refund: new Trend("florin_refund_duration", true),
  get: new Trend("florin_get_duration", true),
};

let number = 0;

/** A name that no other call of this run has. */
function nextName(): string {
  number += 1;
  return `${runId}-${__VU}-${number}`;
}

/** Authorizes a payment for later capture; undefined unless the answer was yes. */
export function authorize(): Held | undefined {
  const name = nextName();
  const amount = 1_000 + ((__VU * 7 + number) % 9_000);
  const token = tokens[(__VU * 31 + number) % tokens.length];
  const body = `{"amount":${amount},"currency":"EUR","payment_method":{"type":"card","token":"${token}"},"capture_mode":"manual","merchant_reference":"${name}"}`;
  const answer = ask({ operation: "authorize", path: "/v1/payments/authorize", name, body });
  const id = idIn(answer);
  if (answer.status > 201 || id === undefined) {
    tellFailure({ operation: "authorize", answer, of: name, amount });
    return undefined;
  }
  tellSuccess("authorize", id, amount);
  return { id, amount, captured: 0, refunded: 0 };
}

/** Captures `amount` of what is held; true when the answer was yes. */
export function capture(payment: Held, amount: number): boolean {
  const path = `/v1/payments/${payment.id}/capture`;
  const answer = ask({ operation: "capture", path, name: nextName(), body: `{"amount":${amount}}` });
  if (answer.status !== 200) {
    tellFailure({ operation: "capture", answer, of: payment.id, amount });
    return false;
  }
  payment.captured += amount;
  tellSuccess("capture", payment.id, amount);
  return true;
}

/** Refunds `amount` of what was captured; true when the answer was yes. */
export function refund(payment: Held, amount: number): boolean {
  const path = `/v1/payments/${payment.id}/refund`;
  const answer = ask({ operation: "refund", path, name: nextName(), body: `{"amount":${amount},"reason":"requested_by_customer"}` });
  if (answer.status !== 200 && answer.status !== 201) {
    tellFailure({ operation: "refund", answer, of: payment.id, amount });
    return false;
  }
  payment.refunded += amount;
  tellSuccess("refund", payment.id, amount);
  return true;
}

/** Reads a payment; true when it is there. */
export function get(payment: Held): boolean {
  const answer = http.get(`${edgeUrl}/v1/payments/${payment.id}`, {
    headers: { authorization: `Bearer ${secretKey}` },
    tags: { name: "get" },
    timeout: requestTimeout,
    responseType: "text",
  });
  durations.get.add(answer.timings.duration);
  return answer.status === 200;
}

type Ask = { readonly operation: Operation; readonly path: string; readonly name: string; readonly body: string };

/** The last answer of at most `triesMax` tries with one key. */
function ask({ operation, path, name, body }: Ask): Answer {
  for (let tries = 1; ; tries++) {
    const answer = http.post(`${edgeUrl}${path}`, body, {
      headers: { authorization: `Bearer ${secretKey}`, "content-type": "application/json", "idempotency-key": name },
      tags: { name: operation },
      timeout: requestTimeout,
      responseType: "text",
    });
    durations[operation].add(answer.timings.duration);
    if (tries >= triesMax || !(isUnsure(answer.status) || answer.status === tooManyRequests)) return answer;
    sleep(Math.min(Number(answer.headers["Retry-After"] ?? "0.2"), retryAfterSecondsMax));
  }
}

/** No answer, "still running" and faults of ours: the operation may have happened. */
function isUnsure(status: number): boolean {
  return status === 0 || status === 202 || status >= 500;
}

/** Too many requests: nothing happened, and later it may. */
const tooManyRequests = 429;

function tellSuccess(operation: Operation, id: string, amount: number): void {
  accepted.add(1, { operation });
  console.log(`ok ${operation} ${id} ${amount}`);
}

type Failure = { readonly operation: Operation; readonly answer: Answer; readonly of: string; readonly amount: number };

function tellFailure({ operation, answer, of, amount }: Failure): void {
  if (isUnsure(answer.status)) {
    unsure.add(1, { operation });
    console.log(`unsure ${operation} ${answer.status} ${of} ${amount}`);
  } else {
    refused.add(1, { operation });
    console.log(`no ${operation} ${answer.status} ${of}`);
  }
}

function idIn(answer: Answer): string | undefined {
  const body = answer.body;
  if (typeof body !== "string") return undefined;
  return /"id": ?"(pay_[0-9a-z]{26})"/.exec(body)?.[1];
}
