import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 10;

/** Resolves as soon as `check` says true; throws after `timeoutMs`. Asks every 10 ms. A check that throws counts as false. */
export async function untilTrue(check: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
  const endsAt = performance.now() + timeoutMs;
  let reason: unknown;
  do {
    try {
      if (await check()) return;
    } catch (thrown) {
      reason = thrown;
    }
    await sleep(pollMs);
  } while (performance.now() < endsAt);
  throw new Error(`not true within ${timeoutMs} ms: ${check.toString().slice(0, 200)}`, { cause: reason });
}
