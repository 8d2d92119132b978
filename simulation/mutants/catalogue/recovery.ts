/** Open operations: found, asked about, decided once. */
import type { Mutant } from "../mutant.ts";

const worker = "switch/src/workers/follow-up-operations.ts";
const followUp = "switch/src/app/follow-up.ts";
const ask = "switch/src/app/ask-processor.ts";

export const recoveryMutants: readonly Mutant[] = [
  {
    name: "checkpoint-past-open",
    about: "the checkpoint moves past operations that are still open; a restart forgets them",
    file: worker,
    find: "const position = lowest === undefined ? read[source] : lowest - 1n;",
    replace: "const position = lowest === undefined || lowest > 0n ? read[source] : 0n;",
  },
  {
    name: "restart-begins-at-the-head",
    about: "a new leader of recovery begins at the end of the log, not at its checkpoint",
    file: worker,
    find: `    unsettled: await checkpoints.read(followUpCheckpoints.unsettled),
    accepted: await checkpoints.read(followUpCheckpoints.accepted),`,
    replace: "    unsettled: await tail.look(),\n    accepted: await tail.look(),",
  },
  {
    name: "abandoned-never-looked-for",
    about: "nobody looks for intents whose process has died before their outcome",
    file: worker,
    find: "if (expired > read.abandoned && nowMs - lookedAtMs >= abandonedEveryMs) {",
    replace: "if (expired < 0n && nowMs - lookedAtMs >= abandonedEveryMs) {",
  },
  {
    name: "recovery-gives-up",
    about: "an operation is let go after two unanswered questions",
    file: followUp,
    find: "  return false;",
    replace: "  return one.tries + 1 >= 2;",
  },
  {
    name: "accepted-refund-forgotten",
    about: "nobody follows refunds that the processor has only accepted",
    file: worker,
    find: `for (const source of ["unsettled", "accepted"] as const)`,
    replace: `for (const source of ["unsettled"] as const)`,
  },
  {
    name: "not-found-believed-at-once",
    about: '"no such operation" is believed while the request may still be on its way',
    file: ask,
    find: `  if (!isLongKnown) return { kind: "undecided" };\n`,
    replace: "",
  },
  {
    name: "age-by-the-wall-clock",
    about: "how long an operation has been under way is reckoned from another machine's clock",
    file: ask,
    find: "return parts.sightings.seenForMs(idToHex(open.id)) >= notFoundBelievedAfterMs;",
    replace: "return parts.now() - open.startedAtMs >= notFoundBelievedAfterMs;",
  },
  {
    name: "not-found-without-a-refusal",
    about: "what the processor does not find is called failed without telling it to refuse what may still come",
    file: ask,
    find: `  // It may have arrived since the question.\n  return { kind: "to_undo", why: "not_found" };`,
    replace: `  return { kind: "without_effect", cause: "not_found" };`,
  },
  {
    name: "silent-reversal-is-done",
    about: "a reversal that got no answer counts as carried out",
    file: ask,
    find: `if (undone.kind === "approved") return { kind: "without_effect", cause: why };`,
    replace: `if (undone.kind !== "declined") return { kind: "without_effect", cause: why };`,
  },
  {
    name: "repeated-with-a-new-reference",
    about: "an unknown authorization is repeated under a reference that the processor has not seen",
    file: ask,
    find: "return connectors.authorize(intent.payment, { attemptId: id,",
    replace: 'return connectors.authorize(intent.payment, { attemptId: id.slice(0, -2).concat("00"),',
  },
  {
    name: "silent-query-is-not-found",
    about: "a question that got no answer is read as: the processor has no such operation",
    file: "switch/src/clients/connector-gateway.ts",
    find: `return { found: true, outcome: faultOf(thrown) };`,
    replace: `return { found: false, outcome: faultOf(thrown) };`,
  },
  {
    name: "unknown-query-is-not-found",
    about: "an operation that the processor cannot speak about yet counts as never arrived",
    file: ask,
    find: `  if (found) return { kind: "outcome", outcome };\n`,
    replace: `  if (found && outcome.kind !== "unknown") return { kind: "outcome", outcome };\n`,
  },
];
