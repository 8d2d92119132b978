/**
 * A circuit per processor and operation: what would be sent to one that is down or slow is answered "not sent" at once, and a few calls find
 * out whether it is well again (R94, R104).
 *
 * A "no" of an issuer is an answer, never a failure. What our own house did (its vault, its bounds, its connections between processes) says
 * nothing about the processor: counted as failures, our overload would become an outage. A cause that nobody here knows is a failure.
 *
 * Not here: questions and reversals. Recovery asks by its own schedule, and must be able to ask first when a processor is back.
 */
import { type CallResult, type CircuitBreaker, type CircuitSettings, createCircuitBreaker } from "@florin/runtime/resilience";
import type { Metrics } from "@florin/runtime/telemetry";
import { isAboutProcessor, isQueueFull, type Outcome } from "../domain/payment/index.ts";

export const guardedOperations = ["authorize", "capture", "void", "refund"] as const;
export type GuardedOperation = (typeof guardedOperations)[number];

export type Guarded = {
  readonly connector: string;
  readonly operation: GuardedOperation;
  /** How long the answer is waited for, ms. */
  readonly timeoutMs: number;
};

export interface ProcessorCircuits {
  /** Sends, or answers `not_sent` with the cause `circuit_open` without having sent anything. */
  guard(sent: Guarded, send: () => Promise<Outcome>): Promise<Outcome>;
  /** What a call would meet now. For whoever chooses a processor; takes nothing. "probing": a few calls find out whether it is well again. */
  health(connector: string, operation: GuardedOperation): Health;
  /** An authorization could have gone there, and went elsewhere because it is down. */
  passedBy(connector: string): void;
}

export type Health = "up" | "probing" | "down";

/** Connectors are named by the registry; a bound all the same. More than these go unguarded. */
const circuitsMax = 256;

/**
 * `now`: milliseconds of a clock that does not jump. `settings` are asked for each call; other ones begin with closed circuits, which know nothing
 * yet: what is counted by one measure cannot be judged by another.
 */
export function createProcessorCircuits(o: {
  readonly settings: () => CircuitSettings;
  readonly now: () => number;
  readonly metrics: Pick<Metrics, "count" | "gauge">;
}): ProcessorCircuits {
  const { now, metrics } = o;
  const circuits = new Map<string, CircuitBreaker>();
  let settings = o.settings();
  const circuitOf = (connector: string, operation: GuardedOperation): CircuitBreaker | undefined => {
    const inForce = o.settings();
    if (inForce !== settings) {
      settings = inForce;
      circuits.clear();
    }
    const name = `${connector} ${operation}`;
    const known = circuits.get(name);
    if (known !== undefined || circuits.size >= circuitsMax) return known;
    const onChange = (state: CircuitBreaker["state"]) => metrics.count("switch_circuit_changes_total", { connector, operation, state });
    const made = createCircuitBreaker({ settings: operation === "authorize" ? settings : withoutElsewhere(settings), now, onChange });
    circuits.set(name, made);
    return made;
  };
  metrics.gauge("switch_circuits_not_closed", () => [...circuits.values()].filter(({ state }) => state !== "closed").length);
  return {
    async guard({ connector, operation, timeoutMs }, send) {
      const circuit = circuitOf(connector, operation);
      if (circuit === undefined) return send();
      const ticket = circuit.admit();
      if (ticket === undefined) {
        metrics.count("switch_circuit_refusals_total", { connector, operation });
        return { kind: "not_sent", cause: "circuit_open" };
      }
      const outcome = await send();
      circuit.settle(ticket, timeoutMs < settings.slowAfterMs && isTimeout(outcome) ? "ignored" : resultOf(outcome));
      return outcome;
    },
    health(connector, operation) {
      const circuit = circuitOf(connector, operation);
      if (circuit === undefined || circuit.state === "closed") return "up";
      return circuit.isAdmitting ? "probing" : "down";
    },
    passedBy: (connector) => circuitOf(connector, "authorize")?.passedBy(),
  };
}

/**
 * Captures, voids and refunds can go nowhere else: there is nothing to win by leaving a processor alone for longer, and one operation that is
 * repeated and never understood would be a row by itself.
 */
function withoutElsewhere({
  failuresInRow: _row,
  refusalsMin: _refusals,
  openMsMax: _longest,
  ...settings
}: CircuitSettings): CircuitSettings {
  return settings;
}

/** Nothing came in time. Where the time was shorter than what is called slow, that says something about the caller alone. */
function isTimeout(outcome: Outcome): boolean {
  return outcome.kind === "unknown" && (outcome.cause === "timeout" || outcome.cause === "deadline_exceeded");
}

/** What an outcome says about the processor. */
export function resultOf(outcome: Outcome): CallResult {
  if (outcome.kind === "approved" || outcome.kind === "declined") return "success";
  if (isQueueFull(outcome)) return "not_taken";
  return isAboutProcessor(outcome) ? "failure" : "ignored";
}
