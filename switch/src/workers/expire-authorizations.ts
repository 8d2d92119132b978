/**
 * The expiry sweep: walks over payments by the time of their making, once, after the longest time that a hold made in time can last.
 *
 * An authorization is accepted only within `intentLifetimeMs` of the making, so when a payment is visited at its age of "hold time, but at
 * least that", no new attempt can begin. What is then still held for a while (authorized late, an operation under way, a longer hold time
 * at the time) is put off with a due time, so nothing is forgotten and nothing is visited for ever. One replica sweeps at a time; two
 * would only do the work twice.
 */
import type { Logger } from "@florin/runtime/telemetry";
import { expirePayment } from "../app/expire-payment.ts";
import type { Parts } from "../app/parts.ts";
import { intentLifetimeMs } from "../domain/payment/payment.ts";
import type { ExpiringHolds } from "../store/expiring-holds.ts";
import type { Which } from "../store/log-reader.ts";
import type { WorkerCheckpoints } from "../store/worker-checkpoints.ts";

export type SweepParts = {
  readonly parts: Parts;
  readonly holds: ExpiringHolds;
  readonly checkpoints: WorkerCheckpoints;
  readonly logger: Logger;
};

const checkpointName = "expiry_swept_through_ms";
const pageMax = 1_000;
const atOnceMax = 32;
const rhythmMs = 10_000;
const faultPauseMs = 5_000;
/** Clocks of replicas differ, and an id carries the clock of the replica that made it. */
const clockSkewMs = 60_000;

/** Sweeps until `signal` is aborted. */
export async function expireAuthorizations(o: SweepParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let pauseMs = rhythmMs;
    try {
      const { expired, isDone } = await sweepOnce(o, signal);
      if (expired > 0) o.logger.info({ expired }, "authorizations expired");
      if (!isDone) pauseMs = 0;
    } catch (err) {
      o.logger.warn({ err }, "the expiry sweep failed; it goes on from its checkpoint");
      pauseMs = faultPauseMs;
    }
    await o.parts.timing.sleep(pauseMs, signal);
  }
}

/** One page of due payments and one of the sweep. `isDone` false: there is more to do now. */
export async function sweepOnce(
  { parts, holds, checkpoints }: SweepParts,
  signal: AbortSignal,
): Promise<{ expired: number; isDone: boolean }> {
  const nowMs = parts.now();
  const due = await holds.due(nowMs, pageMax);
  let expired = await visitAll({ parts, holds, payments: due, isPostponed: true }, signal);
  const toMs = nowMs - Math.max(parts.authorizationLifetimeMs, intentLifetimeMs) - clockSkewMs;
  const fromMs = Number(await checkpoints.read(checkpointName));
  if (toMs <= fromMs) return { expired, isDone: due.length < pageMax };
  const step = await holds.madeBetween({ fromMs, toMs, limit: pageMax });
  expired += await visitAll({ parts, holds, payments: step.candidates, isPostponed: false }, signal);
  // A millisecond with more payments than a page would hold the sweep; past it after it was seen twice.
  const throughMs = Math.max(step.throughMs, step.throughMs === fromMs ? fromMs + 1 : 0);
  if (!signal.aborted) await checkpoints.write(checkpointName, BigInt(throughMs));
  return { expired, isDone: due.length < pageMax && throughMs >= toMs };
}

type Visits = { readonly parts: Parts; readonly holds: ExpiringHolds; readonly payments: readonly Which[]; readonly isPostponed: boolean };

/** Visits in small groups; the number of those expired. */
async function visitAll({ parts, holds, payments, isPostponed }: Visits, signal: AbortSignal): Promise<number> {
  let expired = 0;
  const visitOne = async (which: Which): Promise<void> => {
    const visit = await expirePayment(parts, which);
    if (visit.kind === "again") await holds.postpone(which, visit.dueAtMs);
    else if (isPostponed) await holds.forget(which);
    if (visit.kind === "expired") expired += 1;
  };
  for (let start = 0; start < payments.length && !signal.aborted; start += atOnceMax)
    await Promise.all(payments.slice(start, start + atOnceMax).map(visitOne));
  return expired;
}
