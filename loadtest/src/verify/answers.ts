/** What merchants were told in a run, summed up per payment. Reads the lines that the scenarios print (k6/lib/payments.ts). */
import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";

/** Amounts in minor units. What is unsure may have happened or not. */
export type Told = {
  authorized: number;
  captured: number;
  captures: number;
  refunded: number;
  refunds: number;
  unsureCaptured: number;
  unsureRefunded: number;
};

export type Answers = {
  /** By payment id. */
  readonly payments: ReadonlyMap<string, Told>;
  readonly accepted: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly unsure: Readonly<Record<string, number>>;
};

const operations: ReadonlySet<string> = new Set(["authorize", "capture", "refund"]);

export async function readAnswers(file: string): Promise<Answers> {
  const payments = new Map<string, Told>();
  const counts: Record<"accepted" | "refused" | "unsure", Record<string, number>> = { accepted: {}, refused: {}, unsure: {} };
  if (!existsSync(file)) return { payments, ...counts };
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    const [kind, operation = "", third = "", fourth = "", fifth = ""] = line.split(" ");
    if (!operations.has(operation)) continue;
    if (kind === "ok") {
      count(counts.accepted, operation);
      add(told(payments, third), operation, Number(fourth));
    } else if (kind === "no") count(counts.refused, operation);
    else if (kind === "unsure") {
      count(counts.unsure, operation);
      if (operation !== "authorize") addUnsure(told(payments, fourth), operation, Number(fifth));
    }
  }
  return { payments, ...counts };
}

function count(counts: Record<string, number>, operation: string): void {
  counts[operation] = (counts[operation] ?? 0) + 1;
}

function told(payments: Map<string, Told>, id: string): Told {
  const found = payments.get(id);
  if (found !== undefined) return found;
  const made: Told = { authorized: 0, captured: 0, captures: 0, refunded: 0, refunds: 0, unsureCaptured: 0, unsureRefunded: 0 };
  payments.set(id, made);
  return made;
}

function add(payment: Told, operation: string, amount: number): void {
  if (operation === "authorize") payment.authorized += amount;
  else if (operation === "capture") {
    payment.captured += amount;
    payment.captures += 1;
  } else {
    payment.refunded += amount;
    payment.refunds += 1;
  }
}

function addUnsure(payment: Told, operation: string, amount: number): void {
  if (operation === "capture") payment.unsureCaptured += amount;
  else payment.unsureRefunded += amount;
}
