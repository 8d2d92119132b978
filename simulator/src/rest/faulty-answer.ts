/**
 * Answers as they come from a bad day: cut, doubled, mangled, slow. What the books say was decided before.
 *
 * A held connection is cut after its delay, or when the acquirer ends, so nothing is held for ever; timers do not keep the process alive.
 */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { CallbackFault, Fault, Iso8583Fault } from "../domain/fault-rule.ts";

const holdMsDefault = 60_000;
const dripMsDefault = 50;
export const delayMsDefault = 1_000;

type Answer = { readonly status: number; readonly body: unknown };

/** How long a fault lasts, ms, when its rule says so; and when everything that is held is cut. */
export type FaultTimes = { readonly delayMs: number | undefined; readonly ending: AbortSignal };

/** Keeps silent, then cuts the connection. */
export function holdAndCut(response: ServerResponse, { delayMs, ending }: FaultTimes): void {
  const { socket } = response;
  if (socket === null) return;
  const cut = () => socket.destroy();
  const timer = setTimeout(cut, delayMs ?? holdMsDefault).unref();
  ending.addEventListener("abort", cut);
  socket.once("close", () => {
    clearTimeout(timer);
    ending.removeEventListener("abort", cut);
  });
}

/** `response` is hijacked: nobody else answers. Faults that are ordinary answers (outage, unmapped_code, delay) are not made here. */
export async function answerFaultily(
  response: ServerResponse,
  fault: Exclude<Fault, "timeout_before_charge" | "outage" | "unmapped_code" | "denied_query" | "delay" | Iso8583Fault | CallbackFault>,
  answer: Answer,
  times: FaultTimes,
): Promise<void> {
  const bytes = encode(answer.status, JSON.stringify(answer.body));
  const { socket } = response;
  if (socket === null || socket.destroyed) return;
  switch (fault) {
    case "timeout_after_charge":
      holdAndCut(response, times);
      return;
    case "reset_after_approval":
      socket.resetAndDestroy();
      return;
    case "duplicate_answer":
      socket.write(bytes);
      socket.end(bytes);
      return;
    case "garbage":
      socket.end(encode(200, '\u0000{"id":"sp_00}}\u00ff<html>'));
      return;
    case "slow_drip":
      await drip(socket, bytes, times);
  }
}

async function drip(socket: NonNullable<ServerResponse["socket"]>, bytes: Buffer, { delayMs, ending }: FaultTimes): Promise<void> {
  for (const byte of bytes) {
    if (socket.destroyed || ending.aborted) break;
    socket.write(Buffer.of(byte));
    await sleep(delayMs ?? dripMsDefault, undefined, { ref: false });
  }
  socket.end();
}

function encode(status: number, body: string): Buffer {
  const bytes = Buffer.from(body, "utf8");
  const head = `HTTP/1.1 ${status} Simulated\r\ncontent-type: application/json\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), bytes]);
}
