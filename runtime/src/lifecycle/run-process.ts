/**
 * The life of a process: start, serve, drain, end.
 *
 * SIGTERM or SIGINT: `isDraining` turns true (readiness answers "not ready"), then every part is stopped in the order given, then exit 0.
 * A second signal, or a drain that takes longer than its bound, ends the process with 1; so does a bug that nobody caught.
 * With FLORIN_DIE_WITH_PARENT=1 the end of the parent counts as SIGTERM: its IPC channel closes, or the pipe on stdin does.
 */
import { flushCompileCache } from "node:module";
import type { Logger } from "../telemetry/index.ts";

export type Part = {
  readonly name: string /** Drains and stops; answers what is in flight first. */;
  readonly stop: () => Promise<unknown> | unknown;
};

export type Parts = {
  /** Stopped one after the other: first what takes work in, last what the work needs. */
  readonly drain: readonly Part[];
};

export type Lifecycle = {
  /** True from the first signal on. Readiness says no, long loops end. */
  isDraining(): boolean;
  /** As if a signal had come. */
  stop(reason: string): void;
};

export type RunProcessOptions = {
  readonly name: string;
  readonly logger: Logger;
  readonly start: (lifecycle: Lifecycle) => Promise<Parts>;
  /** All parts together (ms, default 30,000). */
  readonly drainTimeoutMs?: number;
};

const drainTimeoutMsDefault = 30_000;

/** Call once, from main. Ends the process itself. */
export function runProcess(options: RunProcessOptions): void {
  const { logger } = options;
  // A report about a crash, where an operator has asked for them, shows no settings.
  if (process.report !== undefined) process.report.excludeEnv = true;
  let isDraining = false;
  let parts: Parts | undefined;

  const drainOnce = async (started: Parts): Promise<never> => {
    const timeoutMs = options.drainTimeoutMs ?? drainTimeoutMsDefault;
    setTimeout(() => end(logger, 1, "drain took too long", { timeout_ms: timeoutMs }), timeoutMs).unref();
    const isClean = await drain(started.drain, logger);
    return end(logger, isClean ? 0 : 1, "stopped", { process: options.name });
  };
  const stop = (reason: string): void => {
    if (isDraining) return;
    isDraining = true;
    logger.info({ reason }, "draining");
    // During start there is nothing to drain yet: it happens as soon as start is through.
    if (parts !== undefined) void drainOnce(parts);
  };
  const lifecycle: Lifecycle = { isDraining: () => isDraining, stop };

  onSignals((signal) => (isDraining ? end(logger, 1, "second signal, ending at once", { signal }) : stop(signal)));
  process.on("uncaughtException", (err) => end(logger, 1, "uncaught exception", { err }));
  process.on("unhandledRejection", (err) => end(logger, 1, "unhandled rejection", { err }));
  if (process.env["FLORIN_DIE_WITH_PARENT"] === "1") onParentGone(() => stop("parent gone"));

  options.start(lifecycle).then(
    (started) => {
      parts = started;
      logger.info({ process: options.name, pid: process.pid }, "started");
      // With NODE_COMPILE_CACHE. Node does it at the end, which a killed process does not see.
      flushCompileCache();
      if (isDraining) void drainOnce(started);
    },
    (err: unknown) => end(logger, 1, "cannot start", { err }),
  );
}

function onSignals(handle: (signal: string) => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => handle(signal));
}

function onParentGone(handle: () => void): void {
  if (process.connected) {
    process.once("disconnect", handle);
    return;
  }
  process.stdin.once("end", handle).once("close", handle).once("error", handle).resume();
}

/** True when every part stopped without a fault. One part's fault does not keep the next from draining. */
async function drain(parts: readonly Part[], logger: Logger): Promise<boolean> {
  let isClean = true;
  for (const part of parts) {
    const startedAtMs = performance.now();
    try {
      await part.stop();
      logger.debug({ part: part.name, duration_ms: Math.round(performance.now() - startedAtMs) }, "part stopped");
    } catch (err) {
      isClean = false;
      logger.error({ part: part.name, err }, "part did not stop cleanly");
    }
  }
  return isClean;
}

function end(logger: Logger, code: 0 | 1, message: string, fields: Record<string, unknown>): never {
  if (code === 0) logger.info(fields, message);
  else logger.fatal(fields, message);
  process.exit(code);
}
