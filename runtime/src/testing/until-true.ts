import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 10;

/** Resolves as soon as `check` says true; throws after `timeoutMs`, and tells what the last check threw. Asks every 10 ms. One that throws counts as false. */
export async function untilTrue(check: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
  const endsAt = performance.now() + timeoutMs;
  let reason: unknown;
  let checks = 0;
  do {
    checks += 1;
    reason = undefined;
    try {
      if (await check()) return;
    } catch (thrown) {
      reason = thrown;
    }
    await sleep(pollMs);
  } while (performance.now() < endsAt);
  const last = reason === undefined ? "false" : tellAll(reason);
  const what = check.toString().slice(0, 200);
  throw new Error(`not true within ${timeoutMs} ms: ${what} (asked ${checks} times, at last ${last})`, { cause: reason });
}

/** With its causes: "fetch failed" alone says nothing. */
function tellAll(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  return reason.cause === undefined ? String(reason) : `${reason} (${tellAll(reason.cause)})`;
}
