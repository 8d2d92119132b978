/** Payments that go on to another processor. */
import type { Mutant } from "../mutant.ts";

const attemptCard = "switch/src/app/attempt-card.ts";
const cascade = "switch/src/domain/routing/cascade.ts";
const ended = `    const hasEnded = outcome.kind === "declined" || outcome.kind === "not_sent";\n`;

export const cascadeMutants: readonly Mutant[] = [
  {
    name: "cascade-after-unknown",
    about: "a payment goes on to the next processor although nobody knows what the first one did",
    file: cascade,
    find: `unknown: { 1: "unknown_outcome", 2: "unknown_outcome", 3: "unknown_outcome" },`,
    replace: `unknown: { 1: "next", 2: "next", 3: "unknown_outcome" },`,
    and: [{ file: attemptCard, find: ended, replace: `    const hasEnded = outcome.kind !== "approved";\n` }],
  },
  {
    name: "cascade-keeps-its-reference",
    about: "the next processor is asked under the reference of the attempt before",
    file: "switch/src/app/routing/cascade.ts",
    find: `{ attemptId: makeId("attempt", parts.now(), parts.random(10)), connector: step.processor }`,
    replace: "{ attemptId: operationId, connector: step.processor }",
  },
  {
    name: "cascade-sends-before-its-intent",
    about: "the next processor is asked before the log has the attempt",
    file: "switch/src/app/record-outcome.ts",
    find: `  const appended: Appended = await parts.log.append(transition, undefined);\n`,
    replace: `  const isNextTry = isOnward(transition.event.type);
  const appending = parts.log.append(transition, undefined);
  if (isNextTry) appending.catch(() => {});
  const appended: Appended = isNextTry ? { kind: "appended" } : await appending;\n`,
  },
  {
    name: "cascade-after-approval",
    about: "an approval counts as a reason to ask the next processor",
    file: cascade,
    find: `approved: { 1: "approved", 2: "approved", 3: "approved" },`,
    replace: `approved: { 1: "next", 2: "next", 3: "approved" },`,
    and: [{ file: attemptCard, find: ended, replace: `    const hasEnded = outcome.kind !== "unknown";\n` }],
  },
  {
    name: "left-attempt-stays-open",
    about: "the attempt that was left is not closed when the next one begins",
    file: "switch/src/domain/payment/authorize.ts",
    find: "    openOperations: opened({ ...payment, ...done }, opening),\n",
    replace: "    openOperations: opened(payment, opening),\n",
  },
  {
    name: "next-attempt-not-open",
    about: "the attempt that follows is not among the open operations, so recovery never finds it",
    file: "switch/src/domain/payment/authorize.ts",
    find: "    openOperations: opened({ ...payment, ...done }, opening),\n",
    replace: "",
  },
];
