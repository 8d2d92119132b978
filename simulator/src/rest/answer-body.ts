/** Bodies of the acquirer's API. Error codes are part of the API: callers branch on them. */
import type { FastifyReply } from "fastify";

export const errorAnswers = {
  api_key_invalid: { status: 401, message: "the bearer key is missing or wrong" },
  request_invalid: { status: 400, message: "the request is not as documented" },
  idempotency_key_missing: { status: 400, message: "POST needs an Idempotency-Key header of 1 to 64 letters, digits, _ and -" },
  idempotency_key_reuse: { status: 409, message: "this key was used for something else" },
  authorization_not_found: { status: 404, message: "this merchant has no such authorization" },
  operation_not_found: { status: 404, message: "there is no operation with this reference" },
  operation_in_progress: { status: 409, message: "a request with this reference is being worked on" },
  route_unknown: { status: 404, message: "there is no such path" },
  overloaded: { status: 503, message: "too much is in flight" },
  outage: { status: 503, message: "the acquirer is down" },
  internal: { status: 500, message: "a bug of the simulator" },
} as const satisfies Record<string, { readonly status: number; readonly message: string }>;

export type AnswerErrorCode = keyof typeof errorAnswers;

export function sendError(reply: FastifyReply, code: AnswerErrorCode, detail?: string): FastifyReply {
  const { status, message } = errorAnswers[code];
  return reply.code(status).send({ error: { code, message: detail ?? message } });
}
