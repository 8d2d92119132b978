/**
 * One operation at one processor: open the card where one is needed, ask the connector, count, trace.
 *
 * Nothing is repeated here and nothing is remembered. The deadline of a processor lies a little before the caller's, so that
 * "no answer in time" reaches the caller as an outcome and not as silence.
 */
import { AppError, invalid } from "@florin/kernel";
import type { BoundCounter, Telemetry } from "@florin/runtime/telemetry";
import type { OpenCard } from "../clients/vault.ts";
import type {
  AuthorizeCommand,
  CaptureCommand,
  Connector,
  ConnectorCall,
  PingAnswer,
  RefundCommand,
  ReverseCommand,
  VoidCommand,
} from "../contract/connector.ts";
import { notSent, type Outcome, type QueryAnswer } from "../contract/outcome.ts";
import type { Question } from "../contract/question.ts";
import type { Registry } from "../registry.ts";

/** Whose call this is. */
export type Caller = { readonly deadlineAtMs: number; readonly traceparent: string };

export type Operations = {
  authorize(connector: string, command: AuthorizeCommand, token: string, caller: Caller): Promise<Outcome>;
  capture(connector: string, command: CaptureCommand, caller: Caller): Promise<Outcome>;
  void(connector: string, command: VoidCommand, caller: Caller): Promise<Outcome>;
  refund(connector: string, command: RefundCommand, caller: Caller): Promise<Outcome>;
  reverse(connector: string, command: ReverseCommand, caller: Caller): Promise<Outcome>;
  query(connector: string, question: Question, caller: Caller): Promise<QueryAnswer>;
  ping(connector: string, caller: Caller): Promise<PingAnswer>;
  list(): readonly Connector[];
};

export type OperationsOptions = {
  readonly registry: Registry;
  readonly openCard: OpenCard;
  readonly telemetry: Pick<Telemetry, "metrics" | "tracer">;
  readonly operationTimeoutMsMax: number;
};

/** What the way back to the caller may take, ms. */
const answerMarginMs = 100;

export function createOperations(o: OperationsOptions): Operations {
  const { registry, openCard, telemetry } = o;
  const meters = new Map([...registry.values()].map((connector) => [connector.name, createMeter(telemetry, connector.name)]));
  const find = (name: string): { connector: Connector; meter: Meter } => {
    const connector = registry.get(name);
    const meter = meters.get(name);
    if (connector === undefined || meter === undefined) throw invalid("parameter_invalid", "there is no such connector here", "connector");
    return { connector, meter };
  };
  const during = async <T>(
    name: string,
    operation: OperationName,
    caller: Caller,
    work: (connector: Connector, call: ConnectorCall) => Promise<T>,
    outcomeOf: (answer: T) => OutcomeKind,
  ): Promise<T> => {
    const { connector, meter } = find(name);
    const span = telemetry.tracer.startSpan(`connectors.${operation}`, { parent: caller.traceparent, kind: "client" });
    const startedAtMs = performance.now();
    let outcome: OutcomeKind = "unknown";
    try {
      const deadlineAtMs = processorDeadline(caller.deadlineAtMs, o.operationTimeoutMsMax);
      const answer = await work(connector, { deadlineAtMs, traceparent: span.traceparent });
      outcome = outcomeOf(answer);
      return answer;
    } finally {
      meter.count(operation, outcome, (performance.now() - startedAtMs) / 1_000);
      span.end(outcome === "unknown" ? "fault" : "ok", { "florin.connector": name, "florin.outcome_kind": outcome });
    }
  };
  const kindOf = (outcome: Outcome): OutcomeKind => outcome.kind;
  return {
    authorize: (name, command, token, caller) =>
      during(
        name,
        "authorize",
        caller,
        async (connector, call) => {
          const opened = await openCard({ merchantId: command.merchantId, paymentId: command.paymentId, token }, call);
          if (opened.kind === "closed") return notSent(opened.cause);
          try {
            return await connector.authorize(command, opened.card, call);
          } finally {
            opened.wipe();
          }
        },
        kindOf,
      ),
    capture: (name, command, caller) => during(name, "capture", caller, (connector, call) => connector.capture(command, call), kindOf),
    void: (name, command, caller) => during(name, "void", caller, (connector, call) => connector.void(command, call), kindOf),
    refund: (name, command, caller) => during(name, "refund", caller, (connector, call) => connector.refund(command, call), kindOf),
    reverse: (name, command, caller) => {
      if (!find(name).connector.capabilities.reversal) throw invalid("parameter_invalid", "this connector cannot reverse", "connector");
      return during(name, "reverse", caller, (connector, call) => connector.reverse(command, call), kindOf);
    },
    query: (name, question, caller) =>
      during(
        name,
        "query",
        caller,
        (connector, call) => connector.query(question, call),
        (answer) => (answer.kind === "found" ? answer.outcome.kind : "not_sent"),
      ),
    ping: (name, caller) =>
      during(
        name,
        "ping",
        caller,
        (connector, call) => connector.ping(call),
        (answer) => (answer.kind === "up" ? "approved" : "unknown"),
      ),
    list: () => [...registry.values()],
  };
}

function processorDeadline(callerDeadlineAtMs: number, timeoutMsMax: number): number {
  const nowMs = Date.now();
  const deadlineAtMs = Math.min(callerDeadlineAtMs - answerMarginMs, nowMs + timeoutMsMax);
  if (deadlineAtMs <= nowMs) throw new AppError("deadline_exceeded", "too little time is left to ask a processor", { work: "not_done" });
  return deadlineAtMs;
}

type OperationName = "authorize" | "capture" | "void" | "refund" | "reverse" | "query" | "ping";
type OutcomeKind = Outcome["kind"];
type Meter = { count(operation: OperationName, outcome: OutcomeKind, durationS: number): void };

const operationNames: readonly OperationName[] = ["authorize", "capture", "void", "refund", "reverse", "query", "ping"];
const outcomeKinds: readonly OutcomeKind[] = ["approved", "declined", "not_sent", "unknown"];

/** Counters made once: recording is an addition. */
function createMeter({ metrics }: Pick<Telemetry, "metrics">, connector: string): Meter {
  const one = (operation: OperationName) => ({
    duration: metrics.histogram("connectors_request_duration_seconds", { connector, operation }),
    byOutcome: Object.fromEntries(
      outcomeKinds.map((outcome) => [outcome, metrics.counter("connectors_requests_total", { connector, operation, outcome })]),
    ) as Record<OutcomeKind, BoundCounter>,
  });
  const meters = Object.fromEntries(operationNames.map((name) => [name, one(name)])) as Record<OperationName, ReturnType<typeof one>>;
  return {
    count(operation, outcome, durationS) {
      const { duration, byOutcome } = meters[operation];
      byOutcome[outcome].add();
      duration.record(durationS);
    },
  };
}
