/**
 * Recovery as a reader of the log: finds operations whose outcome nobody knew, refunds that the processor has not finished, and intents of
 * which nothing was heard since their lease ended, and follows each kind up in a set of its own.
 *
 * The hot path pays nothing for it. The checkpoints are the oldest open positions, so a restart finds the same set again by reading forward.
 * One replica at a time; two would only ask twice.
 */
import type { Logger } from "@florin/runtime/telemetry";
import { createFollowUps, type FollowUps, type News } from "../app/follow-up.ts";
import type { Parts } from "../app/parts.ts";
import type { LogTail } from "../store/log-tail.ts";
import type { Found, FoundOperation, OpenOperations } from "../store/open-operations.ts";
import { followUpCheckpoints, type WorkerCheckpoints } from "../store/worker-checkpoints.ts";
import { createStakeMetrics } from "./stake-metrics.ts";

export type FollowUpParts = {
  readonly parts: Parts;
  readonly tail: LogTail;
  readonly operations: OpenOperations;
  readonly checkpoints: WorkerCheckpoints;
  /** Operations that a processor has called back about. Absent: nobody tells. */
  readonly news?: News;
  readonly logger: Logger;
};

/** Longer than any operation waits for its processor: whoever sent it has given up by then. */
const leaseMs = 30_000;
const rhythmMs = 250;
const abandonedEveryMs = 1_000;
const checkpointEveryMs = 5_000;
const foundMax = 1_000;
/** Positions looked at for abandoned intents in one statement. */
const abandonedPositionsMax = 50_000;

/** Age from which on a question an hour is enough. The merchant was told by when it would be decided, which is 48 h (`resolvesByMs`). */
const oldAfterMs = 72 * 60 * 60 * 1000;

type Source = keyof typeof followUpCheckpoints;
const sources = ["unsettled", "accepted", "abandoned"] as const satisfies readonly Source[];

/** Follows up until `signal` is aborted. Throws on database faults: the caller starts it again from the checkpoints. */
export async function followUpOperations(o: FollowUpParts, signal: AbortSignal): Promise<void> {
  const rounds = await startRounds(o);
  while (!signal.aborted) {
    await rounds.next();
    await o.parts.timing.sleep(rhythmMs, signal);
  }
  await rounds.end();
}

export interface Rounds {
  /** Reads what is new in the log and asks about what is due. Does not wait for a processor that hangs. */
  next(): Promise<void>;
  /** Writes the checkpoints and shows what is open. */
  keep(): Promise<void>;
  /** For the last time, once nothing is being asked: another replica shows from now on. */
  end(): Promise<void>;
}

/** Apart from the loop, so that a test can turn it by hand and by its own clock. */
export async function startRounds(o: FollowUpParts): Promise<Rounds> {
  const { parts, tail, operations, checkpoints } = o;
  const onFault = ({ which, operationUuid }: FoundOperation, err: unknown): void => {
    parts.metrics.count("switch_follow_up_faults_total");
    o.logger.error({ err, payment: which.id, operation: operationUuid }, "an open operation cannot be followed up; the others go on");
  };
  const sets: Readonly<Record<Source, FollowUps>> = {
    unsettled: createFollowUps(parts, { isOurs: ({ isAccepted }) => !isAccepted, oldAfterMs, onFault }),
    // What a processor has accepted takes days, and no money waits for it: a room of its own, so that it takes nobody's place.
    accepted: createFollowUps(parts, { isOurs: () => true, oldAfterMs: 0, onFault }),
    abandoned: createFollowUps(parts, { isOurs: ({ isUnknown, isAccepted }) => !isUnknown && !isAccepted, oldAfterMs, onFault }),
  };
  const read: Record<Source, bigint> = {
    unsettled: await checkpoints.read(followUpCheckpoints.unsettled),
    accepted: await checkpoints.read(followUpCheckpoints.accepted),
    abandoned: await checkpoints.read(followUpCheckpoints.abandoned),
  };
  const kept = { ...read };
  const leases = createLeases();
  /** Rhythms and leases go by the clock that never jumps. */
  const { monotonicMs } = parts.timing;
  let keptAtMs = monotonicMs();
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  const look = createStakeMetrics(parts.metrics);

  const take = (source: Source, found: Found): void => {
    for (const operation of found.operations) {
      if (!sets[source].add(operation)) return;
      read[source] = operation.position;
    }
    read[source] = found.throughPosition;
  };
  const keep = async (): Promise<void> => {
    for (const source of sources) {
      const lowest = sets[source].lowestPosition();
      const position = lowest === undefined ? read[source] : lowest - 1n;
      if (position === kept[source]) continue;
      await checkpoints.write(followUpCheckpoints[source], position);
      kept[source] = position;
    }
    keptAtMs = monotonicMs();
    look(
      sources.flatMap((source) => sets[source].stakes()),
      parts.now(),
    );
  };
  const end = async (): Promise<void> => {
    await Promise.all(sources.map((source) => sets[source].quiet()));
    await keep();
    look([], parts.now());
  };
  const next = async (): Promise<void> => {
    const nowMs = monotonicMs();
    const decided = await tail.look();
    leases.note(decided, nowMs);
    for (const source of ["unsettled", "accepted"] as const)
      if (decided > read[source])
        take(source, await operations[source]({ afterPosition: read[source], throughPosition: decided, limit: foundMax }));
    const expired = leases.endedBy(nowMs - leaseMs);
    if (expired > read.abandoned && nowMs - lookedAtMs >= abandonedEveryMs) {
      // Behind, the next round goes on at once.
      lookedAtMs = expired - read.abandoned > abandonedPositionsMax ? Number.NEGATIVE_INFINITY : nowMs;
      const window = { afterPosition: read.abandoned, throughPosition: expired, limit: abandonedPositionsMax };
      const found = await operations.abandoned(window);
      for (const { operationUuid } of found.operations) parts.sightings.noteSeenFor(operationUuid, leaseMs);
      take("abandoned", found);
    }
    o.news?.offer((uuid) => sources.some((source) => sets[source].hurry(uuid)));
    await Promise.all(sources.map((source) => sets[source].askDue()));
    if (nowMs - keptAtMs >= checkpointEveryMs) await keep();
  };
  return { next, keep, end };
}

const notesMax = 256;

/** Which position had been reached at which time: what is older than a lease without asking each row for its time. */
function createLeases() {
  let notes: { readonly position: bigint; readonly atMs: number }[] = [];
  let ended = 0n;
  return {
    note(position: bigint, atMs: number): void {
      const last = notes.at(-1);
      if (last === undefined || (position > last.position && atMs - last.atMs >= leaseMs / notesMax)) notes.push({ position, atMs });
    },
    endedBy(ms: number): bigint {
      for (const { position, atMs } of notes) if (atMs <= ms && position > ended) ended = position;
      notes = notes.filter(({ atMs }) => atMs > ms);
      return ended;
    },
  };
}
