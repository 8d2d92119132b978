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

/** PostgreSQL appendix A, "Error Codes", by class. */
function meaningOf(sqlState: string, severity: unknown): Meaning {
  if (sqlState === "57P03") return { code: "unavailable", message: "the database is starting or stopping", work: "not_done" };
  if (sqlState === "53300") return { code: "overloaded", message: "the database has no connection left", work: "not_done" };
  // The server said goodbye to the whole session: whether a commit in flight made it is not known.
  if (sqlState.startsWith("08") || sqlState === "57P01" || sqlState === "57P02" || severity === "FATAL" || severity === "PANIC")
    return { code: "unavailable", message: "the database ended the session", work: "unknown" };
  if (sqlState === "57014") return { code: "unavailable", message: "the statement took too long and was rolled back", work: "not_done" };
  if (sqlState.startsWith("40"))
    return { code: "unavailable", message: "the statement lost against a concurrent one and was rolled back", work: "not_done" };
  if (sqlState.startsWith("53") || sqlState.startsWith("55"))
    return { code: "unavailable", message: "the database lacks a resource", work: "not_done" };
  if (sqlState.startsWith("23")) return { code: "internal", message: "a constraint of the database was violated", work: "not_done" };
  return { code: "internal", message: `the database refused a statement (${sqlState})`, work: "not_done" };
}
