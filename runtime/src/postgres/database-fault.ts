/**
 * What the database driver throws, said as an AppError.
 *
 * The important bit is `work`: an error that the server reported for a statement means the statement was rolled back (`not_done`); a
 * connection that was never made means nothing was sent (`not_done`); a connection lost in flight leaves the outcome `unknown`,
 * because the commit may have happened.
 */
import { AppError, type ErrorCode, type Work } from "@florin/kernel";

/** A fault of the database. `sqlState` and `constraint` are kept so that a store can turn a violated constraint into an answer. */
export class DatabaseFault extends AppError {
  /** SQLSTATE, five characters; undefined when the server did not speak. */
  readonly sqlState: string | undefined;
  /** Name of the violated constraint, when there is one. */
  readonly constraint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { work: Work; cause: unknown; sqlState?: string | undefined; constraint?: string | undefined },
  ) {
    super(code, message, { work: options.work, cause: options.cause });
    this.sqlState = options.sqlState;
    this.constraint = options.constraint;
  }
}

/** Codes of the driver and of the socket that are raised before a statement can have been sent. */
const neverSent: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "CONNECT_TIMEOUT",
  "CONNECTION_ENDED",
  "SASL_SIGNATURE_MISMATCH",
  "AUTH_TYPE_NOT_IMPLEMENTED",
]);

/** Codes that may come while a statement is under way. */
const lostInFlight: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ECONNABORTED",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
]);

type ErrorFields = { readonly code?: unknown; readonly constraint_name?: unknown; readonly severity?: unknown };

/** Any value thrown by the driver as a DatabaseFault; an AppError passes unchanged. The message never holds data of a row. */
export function toDatabaseFault(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const fields: ErrorFields = typeof thrown === "object" && thrown !== null ? thrown : {};
  const code = typeof fields.code === "string" ? fields.code : "";
  if (neverSent.has(code)) return new DatabaseFault("unavailable", "the database cannot be reached", { work: "not_done", cause: thrown });
  if (lostInFlight.has(code))
    return new DatabaseFault("unavailable", "the connection to the database was lost", { work: "unknown", cause: thrown });
  if (isServerError(thrown)) return fromSqlState(code, fields, thrown);
  return new DatabaseFault("internal", "an unexpected fault of the database driver", { work: "unknown", cause: thrown });
}

function isServerError(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "PostgresError";
}

function fromSqlState(sqlState: string, fields: ErrorFields, cause: unknown): DatabaseFault {
  const constraint = typeof fields.constraint_name === "string" ? fields.constraint_name : undefined;
  const { code, message, work } = meaningOf(sqlState, fields.severity);
  return new DatabaseFault(code, message, { work, cause, sqlState, constraint });
}

type Meaning = { readonly code: ErrorCode; readonly message: string; readonly work: Work };

const away = (message: string, work: Work = "not_done"): Meaning => ({ code: "unavailable", message, work });

/** PostgreSQL appendix A, "Error Codes": the states that say more than their class. */
const byState: Readonly<Record<string, Meaning>> = {
  // The one state beside a lost session in which the server itself does not know.
  "40003": away("the database does not know whether the statement was carried out", "unknown"),
  // The session was never opened: refused, no such database, wrong password, too many of them.
  "08001": away("the database refused the session"),
  "08004": away("the database refused the session"),
  "28000": away("the database refused the session"),
  "28P01": away("the database refused the session"),
  "3D000": away("the database refused the session"),
  "53300": { code: "overloaded", message: "the database has no connection left", work: "not_done" },
  "57P03": away("the database is starting or stopping"),
  // A standby, a server that was set so because its disk is nearly full, or one that is being moved.
  "25006": away("the database takes no writes"),
  "53100": away("the database has no room left"),
  "55P03": away("the statement waited too long for a lock and was rolled back"),
  "57014": away("the statement took too long and was rolled back"),
};

const sessionEnded = away("the database ended the session", "unknown");

/** By class. A statement for which the server reports an ERROR was rolled back, whatever the reason: `not_done`. */
const byClass: Readonly<Record<string, Meaning>> = {
  "08": sessionEnded,
  "23": { code: "internal", message: "a constraint of the database was violated", work: "not_done" },
  "40": away("the statement lost against a concurrent one and was rolled back"),
  "53": away("the database lacks a resource"),
  "55": away("the database lacks a resource"),
  // The machine under the server: a file that cannot be read, written or grown. XX is what the server says when it has no word for that.
  "58": away("the database's storage failed"),
  XX: away("the database failed"),
};

function meaningOf(sqlState: string, severity: unknown): Meaning {
  const known = byState[sqlState];
  if (known !== undefined) return known;
  // The server said goodbye to the whole session (57P01, 57P02, 57P04, 57P05, 25P03 and more): a commit in flight may have made it.
  if (severity === "FATAL" || severity === "PANIC" || sqlState.startsWith("57P")) return sessionEnded;
  const ofClass = byClass[sqlState.slice(0, 2)];
  return ofClass ?? { code: "internal", message: `the database refused a statement (${sqlState})`, work: "not_done" };
}
