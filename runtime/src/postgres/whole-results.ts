/**
 * Every result of the driver begins with its first row.
 *
 * postgres 3.4.9 counts the rows of a result on the connection, and where a result breaks off (an error of a row, its time, the end of the
 * session) the next one is counted on from there: before its rows it has as many holes as rows had come before. `const [row] = …` then finds
 * nothing where there is something: a key looks free that is taken, a payment unknown that is there. Told upstream and open:
 * porsager/postgres#1119, #1181. The driver has no hook for it, so this stands between its statements and their results.
 */
import { assert } from "@florin/kernel";
import postgres from "postgres";
import { DatabaseFault } from "./database-fault.ts";

type DriverResult = unknown[] & { readonly count?: number | null };
/** What the driver's own class has, of which its types tell nothing. */
type DriverStatement = {
  readonly executed: boolean;
  resolve(result: unknown): void;
  reject(fault: unknown): void;
};
type Prototype = { handle(this: DriverStatement): unknown };

/** For all pools of the process, those that are open already among them; done once, when this file is loaded. */
function mendResults(): void {
  const prototype = Object.getPrototypeOf(postgres()`SELECT`) as Prototype;
  const { handle } = prototype;
  assert(typeof handle === "function" && Object.hasOwn(prototype, "handle"), "the driver's statements are carried out by handle()");
  prototype.handle = function () {
    if (!this.executed) {
      const { resolve, reject } = this;
      this.resolve = (result) => (closeGap(result) ? resolve(result) : reject(mixedUp()));
    }
    return handle.call(this);
  };
}

/** Takes the holes before the first row away, in place. False where the result is not whole even then. */
function closeGap(result: unknown): boolean {
  if (!Array.isArray(result) || result.length === 0) return true;
  // Several statements in one have a result each, and the first of them can have the holes.
  if (Array.isArray(result[0]) && !closeGap(result[0])) return false;
  const rows: DriverResult = result;
  const holes = rows.findIndex((row) => row !== undefined);
  if (holes > 0) rows.splice(0, holes);
  return holes === 0 ? !rows.includes(undefined) : rows.length === rows.count;
}

function mixedUp(): DatabaseFault {
  const cause = new Error("rows are missing in a result of the driver");
  return new DatabaseFault("unavailable", "the answer of the database cannot be read", { work: "unknown", cause });
}

mendResults();
