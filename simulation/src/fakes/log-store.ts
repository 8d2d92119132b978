/**
 * The tables of the payment log as PostgreSQL keeps them: transactions that begin, draw positions and commit in any order, unique keys
 * that are waited for, checks on every row. The same conformance suite runs against this and against the real statements.
 *
 * Synchronous: when things happen is for log-access.ts to say.
 */
import type { AppError } from "@florin/kernel";
import { DatabaseFault } from "@florin/runtime/postgres";
import type { Transition } from "@florin/switch/src/domain/payment/index.ts";
import type { Decline } from "@florin/switch/src/domain/routing/index.ts";
import type { EncodedMember, InsertedRow } from "@florin/switch/src/store/insert-rows.ts";

export type StoredRow = {
  readonly paymentId: string;
  readonly merchantId: string;
  readonly sequence: number;
  readonly position: bigint;
  readonly occurredAtMs: number;
  readonly type: string;
  readonly status: string;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly released: bigint;
  /** Empty when the row is about none. */
  readonly operationId: string;
  readonly body: Uint8Array;
  /** As it was written; what is read is decoded from `body`. */
  readonly written: Transition;
};

export type StoredKeyRow = {
  readonly requestHash: Buffer;
  readonly paymentId: string;
  readonly intentSequence: number;
  readonly operationId: string;
  readonly createdAtMs: number;
};

type Names = { readonly rows: readonly string[]; readonly keys: readonly string[]; readonly references: readonly string[] };

export type Transaction = {
  readonly id: bigint;
  readonly answers: readonly InsertedRow[];
  /** What it has locked until it ends. */
  readonly names: Names;
  commit(): void;
  abort(): void;
  readonly state: "running" | "committed" | "aborted";
  onEnd(run: () => void): void;
};

/** `blocked`: another transaction holds what this one wants; ask again when it has ended, with it in `waitedFor`. */
export type Begun =
  | { readonly kind: "begun"; readonly transaction: Transaction }
  | { readonly kind: "blocked"; readonly by: Transaction; readonly wants: keyof Names }
  | { readonly kind: "refused"; readonly fault: AppError };

export type Waited = { readonly by: Transaction; readonly wants: keyof Names };

export class LogStore {
  readonly payments = new Map<string, StoredRow[]>();
  /** Committed rows by position. */
  readonly log: StoredRow[] = [];
  readonly keys = new Map<string, StoredKeyRow>();
  readonly references = new Map<string, string>();
  readonly checkpoints = new Map<string, bigint>();
  readonly postponed = new Map<string, { readonly merchantId: string; readonly dueAtMs: number }>();
  /** Declined tries by card, then by attempt. */
  readonly declines = new Map<string, Map<string, Decline>>();
  readonly #running = new Set<Transaction>();
  #position = 0n;
  #transaction = 100n;
  readonly #onCommit: (rows: readonly StoredRow[]) => void;

  constructor(onCommit: (rows: readonly StoredRow[]) => void = () => {}) {
    this.#onCommit = onCommit;
  }

  get lastDrawn(): bigint {
    return this.#position;
  }

  drawTransaction(): bigint {
    this.#transaction += 1n;
    return this.#transaction;
  }

  get oldestRunning(): bigint {
    let oldest = this.#transaction + 1n;
    for (const { id } of this.#running) if (id < oldest) oldest = id;
    return oldest;
  }

  /** Begins the append statement and does everything but commit. */
  begin(members: readonly EncodedMember[], waited: readonly Waited[]): Begun {
    const blocker = this.#blocker(members);
    if (blocker !== undefined) return { kind: "blocked", ...blocker };
    const id = this.drawTransaction();
    // Whoever was waited for and has committed is not in the snapshot of the statement that waited.
    for (const { by, wants } of waited) {
      if (by.state !== "committed") continue;
      if (wants === "rows") return refused("23505", "payment_events_pkey");
      if (wants === "references") return refused("FL001", undefined);
    }
    const rows: StoredRow[] = [];
    const keys: [string, StoredKeyRow][] = [];
    const references: [string, string][] = [];
    const answers: InsertedRow[] = [];
    for (const member of members) {
      const broken = brokenRule(member);
      if (broken !== undefined) return refused("23514", broken);
      const verdict = this.#judge(member);
      if (verdict !== "appended") {
        answers.push({ position: null, verdict });
        continue;
      }
      this.#position += 1n;
      const row = rowOf(member, this.#position);
      rows.push(row);
      if (member.claim !== undefined) keys.push([keyNameOf(member), keyRowOf(member, row)]);
      if (isUnique(member)) references.push([referenceNameOf(member), row.paymentId]);
      answers.push({ position: this.#position, verdict });
    }
    const names: Names = {
      rows: rows.map(({ paymentId, sequence }) => `${paymentId}/${sequence}`),
      keys: keys.map(([name]) => name),
      references: references.map(([name]) => name),
    };
    return { kind: "begun", transaction: this.#open({ id, answers, names }, () => this.#apply(rows, keys, references)) };
  }

  /** Committed rows in (after, through], oldest first. */
  rowsBetween(after: bigint, through: bigint, limit: number): readonly StoredRow[] {
    const rows: StoredRow[] = [];
    for (let index = this.#firstAfter(after); index < this.log.length && rows.length < limit; index++) {
      const row = this.log[index] as StoredRow;
      if (row.position > through) break;
      rows.push(row);
    }
    return rows;
  }

  #judge(member: EncodedMember): InsertedRow["verdict"] {
    const { payment } = member.transition;
    const rows = this.payments.get(payment.id);
    if (payment.version > 1 && rows !== undefined && rows.length >= payment.version) return "conflict";
    if (isUnique(member) && this.references.has(referenceNameOf(member))) return "reference_taken";
    if (member.claim !== undefined && this.keys.has(keyNameOf(member))) return "key_taken";
    return "appended";
  }

  #blocker(members: readonly EncodedMember[]): Waited | undefined {
    if (this.#running.size === 0) return undefined;
    for (const member of members) {
      const { payment } = member.transition;
      const wanted: Readonly<Record<keyof Names, string | undefined>> = {
        keys: member.claim && keyNameOf(member),
        references: isUnique(member) ? referenceNameOf(member) : undefined,
        rows: `${payment.id}/${payment.version}`,
      };
      for (const wants of ["keys", "references", "rows"] as const) {
        const name = wanted[wants];
        if (name === undefined) continue;
        for (const by of this.#running) if (by.names[wants].includes(name)) return { by, wants };
      }
    }
    return undefined;
  }

  #open(o: Pick<Transaction, "id" | "answers" | "names">, apply: () => void): Transaction {
    let state: Transaction["state"] = "running";
    const whenEnded: (() => void)[] = [];
    const end = (to: "committed" | "aborted"): void => {
      if (state !== "running") return;
      state = to;
      this.#running.delete(transaction);
      if (to === "committed") apply();
      for (const run of whenEnded) run();
    };
    const transaction: Transaction = {
      ...o,
      commit: () => end("committed"),
      abort: () => end("aborted"),
      get state() {
        return state;
      },
      onEnd: (run) => void whenEnded.push(run),
    };
    this.#running.add(transaction);
    return transaction;
  }

  #apply(rows: readonly StoredRow[], keys: readonly [string, StoredKeyRow][], references: readonly [string, string][]): void {
    for (const row of rows) {
      const earlier = this.payments.get(row.paymentId);
      if (earlier === undefined) this.payments.set(row.paymentId, [row]);
      else earlier.push(row);
      const place = this.#firstAfter(row.position);
      if (place === this.log.length) this.log.push(row);
      else this.log.splice(place, 0, row);
    }
    for (const [name, row] of keys) this.keys.set(name, row);
    for (const [name, paymentId] of references) this.references.set(name, paymentId);
    this.#onCommit(rows);
  }

  /** Index of the first row beyond a position. */
  #firstAfter(position: bigint): number {
    const { log } = this;
    let high = log.length;
    // Mostly the end is meant.
    if (high === 0 || (log[high - 1] as StoredRow).position <= position) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((log[middle] as StoredRow).position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function keyName(o: { readonly merchantId: string; readonly mode: string; readonly key: string }): string {
  return `${o.merchantId}/${o.mode}/${o.key}`;
}

const keyNameOf = ({ transition: { payment }, claim }: EncodedMember): string =>
  keyName({ merchantId: payment.merchantId, mode: payment.mode, key: claim?.key ?? "" });
const referenceNameOf = ({ transition: { payment } }: EncodedMember): string =>
  `${payment.merchantId}/${payment.mode}/${payment.merchantReference}`;
const isUnique = ({ transition: { payment } }: EncodedMember): boolean =>
  payment.version === 1 && payment.uniqueReference && payment.merchantReference !== "";

const keyLengthMax = 255;

/** The checks of the tables. */
function brokenRule({ transition: { payment }, claim }: EncodedMember): string | undefined {
  const { amount, authorized, captured, capturePending, released, refunded, refundPending } = payment;
  const isSound =
    amount > 0n &&
    [authorized, captured, capturePending, released, refunded, refundPending].every((one) => one >= 0n) &&
    authorized <= amount &&
    captured + capturePending + released <= authorized &&
    refunded + refundPending <= captured;
  if (!isSound) return "payment_events_money";
  if (payment.version < 1) return "payment_events_sequence";
  if (claim !== undefined && (claim.key.length < 1 || claim.key.length > keyLengthMax)) return "idempotency_keys_length";
  return undefined;
}

function rowOf({ transition, body }: EncodedMember, position: bigint): StoredRow {
  const { payment, event } = transition;
  return {
    paymentId: payment.id,
    merchantId: payment.merchantId,
    sequence: payment.version,
    position,
    occurredAtMs: event.occurredAtMs,
    type: event.type,
    status: payment.status,
    authorized: payment.authorized,
    captured: payment.captured,
    released: payment.released,
    operationId: event.operationId,
    body,
    written: transition,
  };
}

function keyRowOf({ claim }: EncodedMember, row: StoredRow): StoredKeyRow {
  return {
    requestHash: claim?.requestHash ?? Buffer.alloc(0),
    paymentId: row.paymentId,
    intentSequence: row.sequence,
    operationId: row.operationId,
    createdAtMs: row.occurredAtMs,
  };
}

function refused(sqlState: string, constraint: string | undefined): Begun {
  const message = "the simulated database refused a statement";
  return { kind: "refused", fault: new DatabaseFault("internal", message, { work: "not_done", cause: undefined, sqlState, constraint }) };
}

/** What a statement meets whose connection was lost. */
export function connectionLost(): AppError {
  return new DatabaseFault("unavailable", "the connection to the simulated database was lost", { work: "unknown", cause: undefined });
}

export function databaseAway(): AppError {
  return new DatabaseFault("unavailable", "the simulated database cannot be reached", { work: "not_done", cause: undefined });
}

export function statementRefused(): AppError {
  return new DatabaseFault("unavailable", "the simulated database rolled the statement back", {
    work: "not_done",
    cause: undefined,
    sqlState: "57014",
  });
}
