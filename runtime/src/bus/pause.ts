import { setTimeout as sleep } from "node:timers/promises";

/** Waits `delayMs`, or shorter when the signal is aborted. Never rejects. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}
