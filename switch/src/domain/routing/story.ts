/** How a payment found its way, told from its log: each decision with all its candidates, and what became of each attempt. */
import type { EventType, Transition } from "../payment/index.ts";
import { type RoutingDecision, readDecision } from "./decision.ts";

/** "pending": under way, or its outcome is unknown. */
export type AttemptEnd = "pending" | "approved" | "declined" | "not_sent" | "reversed";

export type AttemptStory = {
  /** "att_…": our reference at the processor. */
  readonly attemptId: string;
  readonly processor: string;
  readonly end: AttemptEnd;
  /** Decline reason or cause; empty when there is none. */
  readonly reason: string;
  /** Why nobody else was asked after it, where another might have been; empty otherwise. */
  readonly stopped: string;
  /** Ranked processors that were passed over after it, because they were down by then. */
  readonly passedOver: readonly string[];
};

type End = Omit<AttemptStory, "attemptId" | "processor">;
const pending: End = { end: "pending", reason: "", stopped: "", passedOver: [] };

export type RoutingStory = {
  /** Sequence of the event that it was stored with. */
  readonly sequence: number;
  readonly decidedAtMs: number;
  readonly decision: RoutingDecision;
  /** In the order in which they were tried. */
  readonly attempts: readonly AttemptStory[];
};

const ends: Readonly<Partial<Record<EventType, AttemptEnd>>> = {
  payment_authorized: "approved",
  payment_authorized_and_captured: "approved",
  authorization_declined: "declined",
  authorization_not_sent: "not_sent",
  authorization_reversed: "reversed",
};

/** `rows`: of one payment, oldest first. A decision that this release cannot read is left out with its attempts. */
export function routingStories(rows: readonly Transition[]): readonly RoutingStory[] {
  type OpenStory = RoutingStory & { readonly attempts: AttemptStory[] };
  const stories: OpenStory[] = [];
  /** Whose attempts come now; undefined when its decision cannot be read. */
  let current: OpenStory | undefined;
  const end = (attemptId: string, how: End): void => {
    const attempts = current?.attempts ?? [];
    const at = attempts.findIndex((attempt) => attempt.attemptId === attemptId);
    const attempt = attempts[at];
    if (attempt !== undefined) attempts[at] = { ...attempt, ...how };
  };
  for (const { event } of rows) {
    const { type, details, operationId } = event;
    const begun: AttemptStory = { attemptId: operationId, processor: details["connector"] ?? "", ...pending };
    if (type === "authorization_requested") {
      const decision = readDecision(details["routing"] ?? "");
      current = decision && { sequence: event.sequence, decidedAtMs: event.occurredAtMs, decision, attempts: [begun] };
      if (current !== undefined) stories.push(current);
    } else if (type === "authorization_rerouted") {
      end(details["after"] ?? "", endOf(details));
      current?.attempts.push(begun);
    } else {
      const how = ends[type];
      if (how !== undefined) end(operationId, { ...endOf(details), end: how });
    }
  }
  return stories;
}

function endOf(details: Readonly<Record<string, string>>): End {
  const { reason, cause, stopped = "", passed_over: passedOver = "" } = details;
  const toldOf = { stopped, passedOver: passedOver === "" ? [] : passedOver.split(",") };
  return { end: reason === undefined ? "not_sent" : "declined", reason: reason ?? cause ?? "", ...toldOf };
}
