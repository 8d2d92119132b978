/**
 * Takes a request's body out of the socket's buffers: into one buffer of its own, the chunks wiped behind it.
 *
 * The framework's body parsers would keep the chunks, and mostly a string of them, until the garbage collector comes by.
 */
import type { IncomingMessage } from "node:http";
import { AppError, invalid } from "@florin/kernel";
import { limits } from "../domain/limits.ts";

/** The body; the caller wipes it. Rejects with AppError: body_too_large, or cancelled when the client went away. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const { bodyBytesMax } = limits;
  const tooLarge = () => invalid("body_too_large", `the body must be at most ${bodyBytesMax} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const body = Buffer.alloc(bodyBytesMax);
    let length = 0;
    let isRefused = false;
    const refuse = (fault: AppError): void => {
      isRefused = true;
      body.fill(0);
      reject(fault);
    };
    request.on("data", (chunk: Buffer) => {
      if (length + chunk.length > bodyBytesMax) refuse(tooLarge());
      if (!isRefused) length += chunk.copy(body, length);
      chunk.fill(0);
    });
    request.once("end", () => resolve(body.subarray(0, length)));
    request.once("close", () => {
      if (!request.complete) refuse(new AppError("cancelled", "the caller went away", { work: "not_done" }));
    });
    request.once("error", () => refuse(new AppError("cancelled", "the caller went away", { work: "not_done" })));
  });
}
