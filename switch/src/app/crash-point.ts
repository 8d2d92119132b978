/**
 * Named places where a crash hurts most (docs/ARCHITECTURE.md, "Never twice, never lost"). A test arms one of them, and the process ends
 * there as by kill -9. Not armed, which is always so in production, it costs one comparison.
 *
 * A kill takes with it what was handed over in the same turn of the event loop and has not left the process. At `after_send` that would be
 * the command itself, so there the kill comes a few turns later. Elsewhere it is meant: what is remembered for the cache dies unsent.
 */
import type { crashPoints } from "../config.ts";

export type CrashPoint = (typeof crashPoints)[number];

/** Turns until a command is surely with the operating system: its frame, HTTP/2 and TLS take one each. Far fewer than an answer needs. */
const turnsToLeave = 8;

/** The seam: call it with a point's name at that point. */
export function createCrashPoints(armed: CrashPoint | "none"): (point: CrashPoint) => void {
  return (point) => {
    if (point === armed) dieIn(point === "after_send" ? turnsToLeave : 0);
  };
}

function dieIn(turns: number): void {
  if (turns > 0) setImmediate(() => dieIn(turns - 1));
  else process.kill(process.pid, "SIGKILL");
}
