/** What a processor's answer, or its silence, is taken for. */
import type { Mutant } from "../mutant.ts";

const recordOutcome = "switch/src/app/record-outcome.ts";
const gateway = "switch/src/clients/connector-gateway.ts";

export const outcomeMutants: readonly Mutant[] = [
  {
    name: "unknown-sent-again-blindly",
    about: "an authorization without an answer is sent once more, as a new attempt",
    file: "switch/src/app/attempt-card.ts",
    find: "    const sent = parts.connectors.authorize(payment, { attemptId: event.operationId, connector, traceparent: origin.traceparent, budget });\n",
    replace: `    const sendAs = (attemptId: string) => parts.connectors.authorize(payment, { attemptId, connector, traceparent: origin.traceparent, budget });
    const again = () => sendAs(makeId("attempt", parts.now(), parts.random(10)));
    const sent = sendAs(event.operationId).then((outcome) => (outcome.kind === "unknown" ? again() : outcome));
`,
  },
  {
    name: "unknown-capture-sent-again",
    about: "a capture or refund without an answer is sent once more under a new reference",
    file: "switch/src/app/move-money.ts",
    find: "      const sent = o.send(intent, origin.traceparent);\n",
    replace: `      const again = { ...intent, event: { ...intent.event, operationId: makeId(o.idKind, parts.now(), parts.random(10)) } };
      const sent = o.send(intent, origin.traceparent).then((outcome) => (outcome.kind === "unknown" ? o.send(again, origin.traceparent) : outcome));
`,
  },
  {
    name: "timeout-is-failure",
    about: "no answer within the deadline is read as: nothing was sent",
    file: gateway,
    find: `return { kind: work === "not_done" ? "not_sent" : "unknown", cause: code };`,
    replace: `return { kind: "not_sent", cause: code };`,
  },
  {
    name: "unmapped-is-declined",
    about: "an outcome that the connector does not know counts as a refusal",
    file: gateway,
    find: `return { kind: "unknown", cause: wire.cause === "" ? "unspecified" : wire.cause };`,
    replace: `return { kind: "declined", words, reason: "generic_decline" };`,
  },
  {
    name: "unknown-answered-as-done",
    about: "the row of an unknown outcome is given and remembered as the answer",
    file: recordOutcome,
    find: `const isUndecided = (type: string) => type.endsWith("_unknown") || type === "authorization_ambiguous";`,
    replace: `const isUndecided = (type: string) => type === "";`,
  },
  {
    name: "answer-before-commit",
    about: "the outcome is answered while its row is still on the way to the database",
    file: recordOutcome,
    find: `  const appended: Appended = await parts.log.append(transition, undefined);
  if (appended.kind !== "appended") return undefined;
`,
    replace: "  void parts.log.append(transition, undefined).catch(() => {});\n",
  },
  {
    name: "lost-outcome-is-recorded",
    about: "an outcome that lost its place in the log to another writer counts as recorded",
    file: recordOutcome,
    find: `  if (appended.kind !== "appended") return undefined;\n`,
    replace: "",
  },
  {
    name: "outcome-on-stale-state",
    about: "the outcome is computed from the payment as it was at the intent, and appended as the newest",
    file: recordOutcome,
    find: "  const recording = record(payment);\n",
    replace: "  const recording = record({ ...intent.payment, version: payment.version, status: payment.status });\n",
  },
  {
    name: "outcome-kept-in-memory",
    about: "the answer is taken from memory although another writer has recorded another outcome",
    file: recordOutcome,
    find: "return { answer: next === undefined ? await storedAnswer(parts, intent) : undefined, next, payment };",
    replace: "return { answer: next === undefined ? intent : undefined, next, payment };",
  },
];
