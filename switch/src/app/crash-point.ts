/**
 * Named places where a crash hurts most (docs/ARCHITECTURE.md, "Never twice, never lost"). A test arms one of them, and the process ends
 * there as by kill -9. Not armed, which is always so in production, it costs one comparison.
 */
import type { crashPoints } from "../config.ts";

export type CrashPoint = (typeof crashPoints)[number];

/** The seam: call it with a point's name at that point. */
export function createCrashPoints(armed: CrashPoint | "none"): (point: CrashPoint) => void {
  return (point) => {
    if (point === armed) process.kill(process.pid, "SIGKILL");
  };
}
