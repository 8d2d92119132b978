/** What the database refuses, and the writer that relies on it. */
import type { Mutant } from "../mutant.ts";

const logStore = "simulation/src/fakes/log-store.ts";

export const constraintMutants: readonly Mutant[] = [
  {
    name: "key-index-dropped",
    about: "the unique index on (merchant, mode, key) is gone",
    file: logStore,
    find: `if (member.claim !== undefined && this.keys.has(keyNameOf(member))) return "key_taken";`,
    replace: "",
  },
  {
    name: "sequence-index-dropped",
    about: "the primary key (payment, seq) is gone: two writers both append the same step",
    file: logStore,
    find: `if (payment.version > 1 && rows !== undefined && rows.length >= payment.version) return "conflict";`,
    replace: "",
  },
  {
    name: "reference-index-dropped",
    about: "the unique index on merchant references is gone",
    file: logStore,
    find: `if (isUnique(member) && this.references.has(referenceNameOf(member))) return "reference_taken";`,
    replace: "",
  },
  {
    name: "neighbours-share-a-key",
    about: "two members of one batch with the same key both go to the database",
    file: "switch/src/store/append-batch.ts",
    find: `const key = ["key", \`k/\${scope}/\${claim.key}\`] as const;`,
    replace: `const key = ["key", \`k/\${scope}/\${claim.key}/\${payment.id}\`] as const;`,
  },
  {
    name: "answers-of-a-batch-swapped",
    about: "the answers of a batch go to its members in the wrong order",
    file: "switch/src/store/log-writer.ts",
    find: "answers[places[index] as number] = { ok: true, value };",
    replace: "answers[places[places.length - 1 - index] as number] = { ok: true, value };",
  },
  {
    name: "lost-answer-is-not-done",
    about: "a statement whose answer was lost counts as rolled back, and the row as appended",
    file: "switch/src/store/log-writer.ts",
    find: "} else for (const place of places) answers[place] = { ok: false, error: fault };",
    replace: `} else for (const place of places) answers[place] = { ok: true, value: { kind: "appended", position: 0n } };`,
  },
];
