/** One operation of a merchant under one idempotency key, with every answer that ever came to it. */
import { createHash } from "node:crypto";

export type Operation = "authorize" | "capture" | "void" | "refund";

/** What one request was answered. */
export type Answer = {
  /** From `performance.now()`. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** HTTP status; 0 when none came: time-out or a connection that broke. */
  readonly status: number;
  readonly isReplay: boolean;
  readonly retryAfterMs: number | undefined;
  /** Of an error body; "" without one. */
  readonly code: string;
  /** Of the payment in the body; undefined without one. */
  readonly paymentId: string | undefined;
  /** The same for the same answer: a hash of the body without the id of the request. */
  readonly digest: string;
};

export type Call = {
  readonly key: string;
  readonly operation: Operation;
  readonly path: string;
  readonly body: string;
  /** Minor units; 0 for a void, which takes what is left. */
  readonly amount: number;
  /** Undefined before an authorization is answered. */
  paymentId: string | undefined;
  readonly answers: Answer[];
};

export type Meaning =
  | "yes"
  | "no"
  /** It may have happened: ask again with the same key. */
  | "unsure"
  /** Nothing happened, and it may later: ask again with the same key. */
  | "later";

export function meaningOf({ status, code }: Answer): Meaning {
  if (status === 200 || status === 201) return "yes";
  // It was recorded that nothing was sent: the same key will never say anything else.
  if (code === "processor_unavailable") return "no";
  if (status === 429 || code === "payment_busy") return "later";
  return status === 0 || status === 202 || status >= 500 ? "unsure" : "no";
}

/** What the first answer that decides says; undefined while there is none. */
export function decisionOf(call: Call): "yes" | "no" | undefined {
  const first = call.answers.find(isFinal);
  return first === undefined ? undefined : meaningOf(first) === "yes" ? "yes" : "no";
}

/**
 * True when the merchant had to ask again: an answer that decides nothing came before the request that was decided was even sent. A copy that
 * is told "in flight" while another one is decided is not in doubt.
 */
export function wasUnsure({ answers }: Call): boolean {
  const decidedFromMs = Math.min(...answers.filter(isFinal).map(({ startedAtMs }) => startedAtMs));
  return answers.some((answer) => meaningOf(answer) === "unsure" && answer.endedAtMs <= decidedFromMs);
}

function isFinal(answer: Answer): boolean {
  const meaning = meaningOf(answer);
  return meaning === "yes" || meaning === "no";
}

type Body = { id?: string; error?: { code?: string; request_id?: string; payment?: { id?: string } } };

export type RawAnswer = Pick<Answer, "startedAtMs" | "endedAtMs" | "status" | "isReplay" | "retryAfterMs"> & { readonly text: string };

/** Reads what is of use out of an answer; the text itself is not kept. */
export function readAnswer({ text, ...facts }: RawAnswer): Answer {
  const body = facts.status === 0 ? {} : parse(text);
  const digest = createHash("sha256")
    .update(text.replace(/"request_id":"[^"]*"/, ""))
    .digest("base64url");
  return { ...facts, code: body.error?.code ?? "", paymentId: body.id ?? body.error?.payment?.id, digest };
}

function parse(text: string): Body {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return { error: { code: "no_json" } };
  }
}
