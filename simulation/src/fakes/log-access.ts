/**
 * How one process sees the store: a connection with latency, faults and answers that get lost. Implements the ports of the switch's store
 * folder; the writer's batches, the tail's fence and everything above are the real ones.
 */
import { idToHex } from "@florin/kernel";
import type { Transition } from "@florin/switch/src/domain/payment/index.ts";
import { type DeclineHistory, historyOf } from "@florin/switch/src/domain/routing/index.ts";
import { decodeTransition } from "@florin/switch/src/store/event-body.ts";
import type { ExpiringHolds } from "@florin/switch/src/store/expiring-holds.ts";
import type { EncodedMember, InsertedRow, InsertRows } from "@florin/switch/src/store/insert-rows.ts";
import {
  answerTypes,
  attemptAnswerTypes,
  attemptIntentTypes,
  type LogReader,
  type StoredKey,
  type Which,
} from "@florin/switch/src/store/log-reader.ts";
import type { TailQueries } from "@florin/switch/src/store/log-tail.ts";
import {
  acceptedTypes,
  type Found,
  intentTypes,
  type OpenOperations,
  unsettledTypes,
  type Window,
} from "@florin/switch/src/store/open-operations.ts";
import type { WorkerCheckpoints } from "@florin/switch/src/store/worker-checkpoints.ts";
import type { Life } from "../engine/life.ts";
import type { Faults } from "../faults.ts";
import {
  connectionLost,
  databaseAway,
  keyName,
  type LogStore,
  type StoredRow,
  statementRefused,
  type Transaction,
  type Waited,
} from "./log-store.ts";

export type DatabaseWeather = { isAway: boolean };

export type LogAccess = {
  readonly insert: InsertRows;
  readonly reader: LogReader;
  readonly tailQueries: TailQueries;
  readonly openOperations: OpenOperations;
  readonly checkpoints: WorkerCheckpoints;
  readonly holds: ExpiringHolds;
  readonly declines: DeclineHistory;
};

/** Milliseconds. */
const queryMs = { min: 0.2, max: 2 };
const commitMs = { min: 0.3, max: 4 };
const heldBackMsMax = 4_000;

export type AccessOptions = {
  readonly life: Life;
  readonly store: LogStore;
  readonly faults: Faults;
  readonly weather: DatabaseWeather;
};

export function createLogAccess(o: AccessOptions): LogAccess {
  const query = createQuery(o);
  return {
    insert: (members) => insertRows(o, members),
    reader: createReader(o.store, query),
    tailQueries: createTailQueries(o.store, query),
    openOperations: createOpenOperations(o.store, query),
    checkpoints: createCheckpoints(o.store, query),
    holds: createHolds(o.store, query),
    declines: createDeclines(o.store, query),
  };
}

type Query = <T>(read: () => T) => Promise<T>;

/** One statement without a transaction of its own. What it does has no effect, or one that may be repeated. */
export function createQuery({ life, faults, weather }: Pick<AccessOptions, "life" | "faults" | "weather">): Query {
  const { random } = life.world;
  return (read) =>
    life.promise((resolve, reject) => {
      life.after(random.between(queryMs.min, queryMs.max), () => {
        if (weather.isAway) return reject(databaseAway());
        if (faults.fires("statement_refused")) return reject(statementRefused());
        const value = read();
        if (faults.fires("answer_lost_after_commit")) return reject(connectionLost());
        resolve(value);
      });
    });
}

/** The append statement. Its transaction ends at the server, whatever has become of the process that sent it. */
function insertRows(o: AccessOptions, members: readonly EncodedMember[]): Promise<readonly InsertedRow[]> {
  const { life, store, faults, weather } = o;
  const { world } = life;
  return life.promise((resolve, reject) => {
    const waited: Waited[] = [];
    const execute = (): void => {
      const fault = weather.isAway ? databaseAway() : faults.fires("statement_refused") ? statementRefused() : undefined;
      const begun = fault === undefined ? store.begin(members, waited) : { kind: "refused" as const, fault };
      switch (begun.kind) {
        case "refused":
          reject(begun.fault);
          break;
        case "blocked":
          waited.push(begun);
          begun.by.onEnd(() => world.schedule(0, execute));
          break;
        case "begun":
          commit(begun.transaction);
      }
    };
    const commit = (transaction: Transaction): void => {
      const isHeldBack = faults.fires("commit_held_back");
      const isLostBefore = faults.fires("answer_lost_before_commit");
      const delayMs = isHeldBack ? world.random.between(0, heldBackMsMax) : world.random.between(commitMs.min, commitMs.max);
      // The statement may go on at the server after its client has given it up for lost.
      if (isLostBefore) life.after(world.random.between(0, delayMs), () => reject(connectionLost()));
      const isRolledBack = isLostBefore && world.random.chance(0.5);
      world.schedule(delayMs, () => {
        if (isRolledBack || (life.isOver && world.random.chance(0.5))) {
          transaction.abort();
          return reject(connectionLost());
        }
        transaction.commit();
        if (faults.fires("answer_lost_after_commit")) return reject(connectionLost());
        resolve(transaction.answers);
      });
    };
    // A command of a process that dies meanwhile is with the server already.
    world.schedule(world.random.between(queryMs.min, queryMs.max), execute);
  });
}

const decoded = new WeakMap<StoredRow, Transition>();

/** Decoded once: rows do not change, and nobody changes what was read from one. */
function transitionIn(row: StoredRow): Transition {
  const known = decoded.get(row);
  if (known !== undefined) return known;
  const transition = decodeTransition(row.body);
  decoded.set(row, transition);
  return transition;
}

function createReader(store: LogStore, query: Query): LogReader {
  const rowsOf = ({ id, merchantId }: Which): readonly StoredRow[] => {
    const rows = store.payments.get(id) ?? [];
    return rows[0]?.merchantId === merchantId ? rows : [];
  };
  type Intent = { readonly sequence: number; readonly operationId: string; readonly mayBeAttempt: boolean };
  const answerIn = (rows: readonly StoredRow[], { sequence, operationId, mayBeAttempt }: Intent) =>
    rows.find(
      (row) =>
        row.sequence >= sequence &&
        ((row.operationId === operationId && answerTypes.has(row.type)) || (mayBeAttempt && attemptAnswerTypes.has(row.type))),
    );
  return {
    newest: (which) =>
      query(() => {
        const row = rowsOf(which).at(-1);
        return row && transitionIn(row).payment;
      }),
    at: (which, sequence) =>
      query(() => {
        const row = rowsOf(which)[sequence - 1];
        return row && transitionIn(row);
      }),
    answerOf: (which, sequence) =>
      query(() => {
        const rows = rowsOf(which);
        const intent = rows[sequence - 1];
        const row = intent && answerIn(rows, { ...intent, mayBeAttempt: attemptIntentTypes.has(intent.type) });
        return row && transitionIn(row);
      }),
    key: (use) =>
      query((): StoredKey | undefined => {
        const key = store.keys.get(keyName(use));
        if (key === undefined) return undefined;
        const rows = rowsOf({ id: key.paymentId, merchantId: use.merchantId });
        const row = answerIn(rows, { sequence: key.intentSequence, operationId: key.operationId, mayBeAttempt: true });
        const { requestHash, paymentId, intentSequence, createdAtMs } = key;
        return { requestHash, paymentId, intentSequence, createdAtMs, answer: row && transitionIn(row) };
      }),
    timeline: (which, { afterSequence, limit }) =>
      query(() =>
        rowsOf(which)
          .filter(({ sequence }) => sequence > afterSequence)
          .slice(0, limit)
          .map(transitionIn),
      ),
  };
}

function createTailQueries(store: LogStore, query: Query): TailQueries {
  return {
    lastDrawn: () => query(() => store.lastDrawn),
    ownTransaction: () => query(() => store.drawTransaction()),
    oldestRunning: () => query(() => store.oldestRunning),
    rows: (after, through, limit) => query(() => store.rowsBetween(after, through, limit)),
  };
}

function createOpenOperations(store: LogStore, query: Query): OpenOperations {
  const foundIn = ({ paymentId, merchantId, operationId, position }: StoredRow) => ({
    which: { id: paymentId, merchantId },
    operationUuid: idToHex(operationId),
    position,
  });
  const ofTypes = (types: ReadonlySet<string>, { afterPosition, throughPosition, limit }: Window): Found => {
    const rows = store
      .rowsBetween(afterPosition, throughPosition, Number.POSITIVE_INFINITY)
      .filter(({ type }) => types.has(type))
      .slice(0, limit);
    const last = rows.at(-1);
    return {
      operations: rows.map(foundIn),
      throughPosition: rows.length < limit ? throughPosition : (last?.position ?? afterPosition),
    };
  };
  return {
    unsettled: (window) => query(() => ofTypes(unsettledTypes, window)),
    accepted: (window) => query(() => ofTypes(acceptedTypes, window)),
    abandoned: ({ afterPosition, throughPosition, limit }) =>
      query(() => {
        const end = BigInt(limit) + afterPosition < throughPosition ? BigInt(limit) + afterPosition : throughPosition;
        const rows = store.rowsBetween(afterPosition, end, Number.POSITIVE_INFINITY).filter((row) => {
          if (!intentTypes.has(row.type)) return false;
          const later = store.payments.get(row.paymentId) ?? [];
          const isAttempt = attemptIntentTypes.has(row.type);
          const isHeardOf = ({ sequence, operationId, type }: StoredRow) =>
            sequence > row.sequence && (operationId === row.operationId || (isAttempt && type === "authorization_rerouted"));
          return !later.some(isHeardOf);
        });
        return { operations: rows.map(foundIn), throughPosition: end };
      }),
    // For operators' reports, which nobody asks for here.
    latestResolutions: () => query(() => []),
  };
}

function createCheckpoints(store: LogStore, query: Query): WorkerCheckpoints {
  return {
    read: (name) => query(() => store.checkpoints.get(name) ?? 0n),
    write: (name, value) => query(() => void store.checkpoints.set(name, value)),
  };
}

const mayHold = ({ status, authorized, captured, released }: StoredRow): boolean =>
  status === "processing" || status === "ambiguous" || authorized > captured + released;

function createHolds(store: LogStore, query: Query): ExpiringHolds {
  return {
    madeBetween: ({ fromMs, toMs, limit }) =>
      query(() => {
        const made: { readonly timeMs: number; readonly newest: StoredRow }[] = [];
        for (const rows of store.payments.values()) {
          const timeMs = timeOf(rows[0] as StoredRow);
          if (timeMs >= fromMs && timeMs < toMs) made.push({ timeMs, newest: rows.at(-1) as StoredRow });
        }
        made.sort((left, right) => (left.newest.paymentId < right.newest.paymentId ? -1 : 1));
        const page = made.slice(0, limit);
        const candidates = page
          .filter(({ newest }) => mayHold(newest))
          .map(({ newest }) => ({ id: newest.paymentId, merchantId: newest.merchantId }));
        return { candidates, throughMs: page.length < limit ? toMs : (page.at(-1)?.timeMs ?? toMs) };
      }),
    due: (nowMs, limit) =>
      query(() =>
        [...store.postponed]
          .filter(([, { dueAtMs }]) => dueAtMs <= nowMs)
          .sort(([, left], [, right]) => left.dueAtMs - right.dueAtMs)
          .slice(0, limit)
          .map(([id, { merchantId }]) => ({ id, merchantId })),
      ),
    postpone: ({ id, merchantId }, dueAtMs) => query(() => void store.postponed.set(id, { merchantId, dueAtMs })),
    forget: ({ id }) => query(() => void store.postponed.delete(id)),
  };
}

function timeOf({ paymentId }: StoredRow): number {
  return Number.parseInt(idToHex(paymentId).slice(0, 12), 16);
}

function createDeclines(store: LogStore, query: Query): DeclineHistory {
  const nameOf = ({ merchantId, cardFingerprint }: { readonly merchantId: string; readonly cardFingerprint: string }) =>
    `${merchantId}/${cardFingerprint}`;
  return {
    read: (card, nowMs) => query(() => historyOf([...(store.declines.get(nameOf(card))?.values() ?? [])], nowMs)),
    count: (card, { attemptId, ...decline }) =>
      query(() => {
        const earlier = store.declines.get(nameOf(card));
        if (earlier === undefined) store.declines.set(nameOf(card), new Map([[attemptId, decline]]));
        else if (!earlier.has(attemptId)) earlier.set(attemptId, decline);
      }),
  };
}
