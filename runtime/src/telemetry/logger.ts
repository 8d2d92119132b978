/**
 * One event per line, JSON, on stdout. The message is a stable phrase, facts are fields (`payment_id`, `duration_ms`).
 *
 * Secrets stay out: `Secret` prints its mask, and the finished line passes a last guard (line-guard.ts). The logger's own redaction is not
 * used: it copies objects, which breaks values with private parts. Errors are written as name, code, work, message and stack of the chain;
 * other properties of an error (a driver may hang rows on it) are left out.
 *
 * A request's logger is a child: `logger.child({ request_id })`.
 */
import { AppError } from "@florin/kernel";
import pino from "pino";
import { guardLine } from "./line-guard.ts";

export type Logger = pino.Logger;

export type LoggerOptions = {
  readonly service: string;
  /** trace, debug, info, warn, error, fatal or silent. */
  readonly level: string;
  /** Where lines go; stdout by default. For tests. */
  readonly write?: (line: string) => void;
};

const causeDepthMax = 5;

export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError },
    },
    { write: guarded(options.write ?? toStdout(), options.service) },
  );
}

/** A line in which a card number had to be masked is followed by one that says so: somebody has to find out how it got there. */
function guarded(write: (line: string) => void, service: string): (line: string) => void {
  return (line) => {
    const { line: clean, maskedIn } = guardLine(line);
    write(clean);
    if (maskedIn === undefined) return;
    const alarm = {
      level: "error",
      time: new Date().toISOString(),
      service,
      field: maskedIn,
      msg: "a card number was masked in the line before",
    };
    write(`${JSON.stringify(alarm)}\n`);
  };
}

/** Synchronous, so that the last line before a crash is written. A reader that has gone away must not bring the process down. */
function toStdout(): (line: string) => void {
  const destination = pino.destination({ fd: 1, sync: true });
  destination.on("error", () => {});
  return (line) => void destination.write(line);
}

/** An error for a log line. */
function describeError(thrown: unknown, depth = 0): unknown {
  if (!(thrown instanceof Error)) return typeof thrown === "object" ? "[not an error]" : thrown;
  const code =
    thrown instanceof AppError || ("code" in thrown && typeof thrown.code === "string")
      ? (thrown as Error & { code: string }).code
      : undefined;
  return {
    name: thrown.name,
    code,
    work: thrown instanceof AppError ? thrown.work : undefined,
    message: thrown.message,
    stack: thrown.stack,
    cause: thrown.cause === undefined || depth >= causeDepthMax ? undefined : describeError(thrown.cause, depth + 1),
  };
}
