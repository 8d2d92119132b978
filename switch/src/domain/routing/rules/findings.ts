/** Collects what is wrong with a merchant's rules or a settings document, each with the path of its field, and the bounds that hold for a whole tree. */
import { sizeMax } from "./rule-tree.ts";

/** `path` as in "rules.use.split[1].share"; `problem` never repeats what somebody wrote. */
export type RuleProblem = { readonly path: string; readonly problem: string };

/** Of one merchant's rules. More are not told: the first ones are enough to begin with. */
export const problemsMax = 20;

export type Findings = {
  readonly problems: readonly RuleProblem[];
  say(path: string, problem: string): void;
  /** Counts a node or a condition. False from the first one too many on: the reader goes no deeper. */
  hasRoom(path: string): boolean;
};

export function makeFindings(max: number = problemsMax): Findings {
  const problems: RuleProblem[] = [];
  let size = 0;
  const say = (path: string, problem: string): void => {
    if (problems.length < max) problems.push({ path, problem });
  };
  return {
    problems,
    say,
    hasRoom(path) {
      size += 1;
      if (size === sizeMax + 1) say(path, `the rules have more than ${sizeMax} nodes and conditions`);
      return size <= sizeMax;
    },
  };
}

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Says every field of `value` that is not in `known`: a misspelt field must not be read as an absent one. */
export function sayUnknownFields(
  value: Fields,
  o: { readonly known: readonly string[]; readonly path: string; readonly findings: Findings },
): void {
  if (Object.keys(value).some((field) => !o.known.includes(field))) o.findings.say(o.path, `has a field beside ${o.known.join(", ")}`);
}
