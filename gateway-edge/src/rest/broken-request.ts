/**
 * The answer to what is not even HTTP. There is no request object: it is written to the socket.
 *
 * A whole request before it on the same connection may still wait for its answer: at the switch, with money in it. A "400" written then would be
 * taken for that answer, and a payment that is being made for one that was refused. So the answers come first, and the connection ends after them.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { AppError } from "@florin/kernel";
import { faultAnswer } from "./error-answer.ts";
import { toEdgeFault } from "./framework-fault.ts";
import { nextRequestId } from "./request-id.ts";

/**
 * Node keeps the answer that a connection is at here, and looks at it for the same reason where nobody handles `clientError` (lib/_http_server.js,
 * `socketOnError`). Counting answers ourselves would cost every request for what hardly ever happens; hostile-input.test.ts would see it change.
 */
type Answering = Socket & { readonly _httpMessage?: ServerResponse | null };

const endingAfterAnswers = new WeakSet<Socket>();

export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (endingAfterAnswers.has(socket)) return;
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  if (endsAfterAnswers(socket)) return;
  const requestId = nextRequestId();
  const fault: AppError = toEdgeFault(error.code === undefined ? { code: "HPE_INTERNAL" } : error);
  const { status, body } = faultAnswer(fault, requestId);
  const reason = status === 431 ? "Request Header Fields Too Large" : status === 400 ? "Bad Request" : "Internal Server Error";
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** False when no whole request waits for its answer. */
function endsAfterAnswers(socket: Socket): boolean {
  const response = (socket as Answering)._httpMessage ?? undefined;
  if (response === undefined || !response.req.complete) return false;
  endingAfterAnswers.add(socket);
  // What comes behind it is not read any more.
  socket.pause();
  response.once("close", () => {
    if (!endsAfterAnswers(socket)) socket.destroySoon();
  });
  return true;
}
