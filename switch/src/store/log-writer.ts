/**
 * Writes the payment log in batches without timers. Every member gets its own answer, released after the commit.
 *
 * Invariants: a key and its intent are written together or not at all; a row is never changed; of two rows with one (payment, seq) one
 * wins and the other is told `conflict`. An intent whose caller's time is over is not written, however long it has waited for its batch; an
 * outcome is always written.
 */
import { AppError, AssertionError, assert, required } from "@florin/kernel";
import { createBatcher, type Settled } from "@florin/runtime/batch";
import { DatabaseFault, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { Metrics } from "@florin/runtime/telemetry";
import { systemTiming, type Timing } from "@florin/runtime/timing";
import type { Transition } from "../domain/payment/index.ts";
import { type KeyClaim, lessonOf, type Member, nextRound, type Verdict, type Waiting } from "./append-batch.ts";
import { encodeTransitions } from "./event-body.ts";
import { createInsertRows, type EncodedMember, type InsertRows } from "./insert-rows.ts";

export type { KeyClaim } from "./append-batch.ts";

export type Appended = { readonly kind: "appended"; readonly position: bigint } | { readonly kind: Exclude<Verdict, "appended"> };

export interface LogWriter {
  /**
   * Durable when it resolves. Rejects with `overloaded` (not_done) when too many wait, with `deadline_exceeded` (not_done) when the claim's
   * budget is used up, with `unavailable` when the database is away: then
   * `work` says whether the row may be there. Repeating is safe: a row that is there answers `conflict`, a key `key_taken`.
   */
  append(transition: Transition, claim: KeyClaim | undefined): Promise<Appended>;
  /** Waits for what was accepted. Safe to repeat. */
  close(): Promise<void>;
}

const nothing = new Uint8Array();

const batchMax = 512;
const queueDepthMax = 20_000;
/** While one batch is flushed, the next is prepared: but only when it is worth its statement. */
export const batchesInFlightMax = 2;
const besideMin = 64;
/** Raised by `florin_abort_batch()`; the primary key of the log; serialization failure and deadlock. All of them rolled the batch back. */
const lostRace: ReadonlySet<string> = new Set(["FL001", "23505", "40001", "40P01"]);
const aloneTriesMax = 5;

export function createLogWriter({ sql, metrics }: { readonly sql: Sql; readonly metrics: Metrics }): LogWriter {
  return createBatchedLogWriter({ insert: createInsertRows(sql), metrics });
}

/** The writer over any form of the one statement. `timing`: default the system's. */
export function createBatchedLogWriter(o: {
  readonly insert: InsertRows;
  readonly metrics: Metrics;
  readonly timing?: Pick<Timing, "atTurnEnd">;
}): LogWriter {
  const { insert, metrics, timing = systemTiming } = o;
  const size = metrics.histogram("switch_append_batch_size");
  const duration = metrics.histogram("switch_append_duration_seconds");
  const batcher = createBatcher<Member, Appended>({
    name: "append",
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
    besideMin,
    timing,
    async run(members) {
      const startedMs = performance.now();
      const answers = await writeBatch(insert, members, () => metrics.count("switch_append_conflicts_total", { kind: "batch_aborted" }));
      size.record(members.length);
      duration.record((performance.now() - startedMs) / 1000);
      return answers;
    },
  });
  metrics.gauge("batch_queue_depth", () => batcher.takeDepthPeak(), { batch: "append" });
  return {
    append: (transition, claim) => batcher.submit({ transition, claim }),
    close: () => batcher.close(),
  };
}

/** In rounds: each settles at least one member, and the first nearly always all. */
async function writeBatch(insert: InsertRows, submitted: readonly Member[], onAbort: () => void): Promise<readonly Settled<Appended>[]> {
  const answers = new Array<Settled<Appended>>(submitted.length);
  const members = encodedOf(submitted, answers);
  let places: readonly number[] = members.map((_, place) => place).filter((place) => answers[place] === undefined);
  while (places.length > 0) {
    const round = nextRound(members, places);
    await writeRound(answers, insert, members, round.going, onAbort);
    places = round.waiting.filter((waiting) => !settleWaiting(answers, waiting)).map(({ place }) => place);
  }
  return answers;
}

/** A member that is too late, or that cannot be encoded (a bug of ours), is answered so, and its neighbours go on. */
function encodedOf(members: readonly Member[], answers: Settled<Appended>[]): readonly EncodedMember[] {
  const bodies = encodeTransitions(members.map(({ transition }) => transition));
  return members.map((member, place) => {
    if (isTooLate(member)) {
      answers[place] = { ok: false, error: tooLate() };
      return { ...member, body: nothing };
    }
    const body = required(bodies[place], "the body of a member");
    if (body instanceof Uint8Array) return { ...member, body };
    answers[place] = { ok: false, error: new AssertionError(`a row of the log cannot be encoded: ${body.message}`) };
    return { ...member, body: nothing };
  });
}

function isTooLate({ claim }: Member): boolean {
  return claim?.budget?.canBegin() === false;
}

function tooLate(): AppError {
  return new AppError("deadline_exceeded", "the caller's time was over before anything was written", { work: "not_done" });
}

/** False when the member must go itself. A fault of the one it waited for is its own too: the database would say the same again. */
function settleWaiting(answers: Settled<Appended>[], waiting: Waiting): boolean {
  const first = required(answers[waiting.behind], "the answer of a member that went");
  const verdict = first.ok ? lessonOf(waiting, first.value.kind) : undefined;
  if (first.ok && verdict === undefined) return false;
  answers[waiting.place] = verdict === undefined ? first : told(verdict);
  return true;
}

function told(verdict: Verdict): Settled<Appended> {
  assert(verdict !== "appended", "who waits has not been appended");
  return { ok: true, value: { kind: verdict } };
}

async function writeRound(
  answers: Settled<Appended>[],
  insert: InsertRows,
  members: readonly EncodedMember[],
  places: readonly number[],
  onAbort: () => void,
): Promise<void> {
  try {
    await writeInto(answers, insert, members, places);
  } catch (thrown) {
    const fault = toDatabaseFault(thrown);
    if (isLostRace(fault)) {
      onAbort();
      for (const place of places) answers[place] = await writeAlone(insert, required(members[place], "member"));
    } else for (const place of places) answers[place] = { ok: false, error: fault };
  }
}

/** After an aborted batch. Alone, a member that was beaten sees the winner on its next try, because that one is committed by then. */
async function writeAlone(insert: InsertRows, member: EncodedMember): Promise<Settled<Appended>> {
  for (let tries = 1; ; tries++) {
    const answers: Settled<Appended>[] = [];
    try {
      await writeInto(answers, insert, [member], [0]);
      return required(answers[0], "answer");
    } catch (thrown) {
      const fault = toDatabaseFault(thrown);
      if (!isLostRace(fault) || tries >= aloneTriesMax) return { ok: false, error: fault };
    }
  }
}

function isLostRace(fault: unknown): boolean {
  return fault instanceof DatabaseFault && fault.sqlState !== undefined && lostRace.has(fault.sqlState);
}

async function writeInto(
  answers: Settled<Appended>[],
  insert: InsertRows,
  members: readonly EncodedMember[],
  places: readonly number[],
): Promise<void> {
  const chosen =
    places.length === members.length && isInOrder(places) ? members : places.map((place) => required(members[place], "member"));
  const rows = await insert(chosen);
  assert(rows.length === places.length, "the log answers every member");
  for (const [index, { verdict, position }] of rows.entries()) {
    const value: Appended = verdict === "appended" ? { kind: verdict, position: required(position, "position") } : { kind: verdict };
    answers[places[index] as number] = { ok: true, value };
  }
}

function isInOrder(places: readonly number[]): boolean {
  for (let index = 0; index < places.length; index++) if (places[index] !== index) return false;
  return true;
}
