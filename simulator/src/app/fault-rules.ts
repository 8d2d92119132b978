/** The rules in force. The first rule that fits, has a turn left and wins its draw decides; rules are tried in the order they were made. */
import { type Fault, fits, type RequestFacts, type RuleMatch } from "../domain/fault-rule.ts";

export const rulesMax = 100;

export type NewRule = {
  readonly match: RuleMatch;
  readonly fault: Fault;
  /** How often the fault happens; undefined: always. */
  readonly times?: number | undefined;
  /** 0 to 1; undefined: 1. */
  readonly probability?: number | undefined;
  readonly delayMs?: number | undefined;
};

export type Rule = NewRule & { readonly id: number; readonly happened: number };
type LiveRule = NewRule & { readonly id: number; happened: number };

export type FaultRules = {
  /** Undefined when `rulesMax` rules are in force. */
  add(rule: NewRule): Rule | undefined;
  list(): readonly Rule[];
  remove(id: number): boolean;
  clear(): void;
  /** The fault that befalls this request, if any, out of those that can. Takes one turn of its rule. */
  take(facts: RequestFacts, isPossible?: (rule: NewRule) => boolean): Rule | undefined;
};

/** `random` gives a number in [0, 1) for rules with a probability. */
export function createFaultRules(random: () => number): FaultRules {
  let rules: LiveRule[] = [];
  let lastId = 0;
  return {
    add(rule) {
      if (rules.length >= rulesMax) return undefined;
      lastId += 1;
      const made: LiveRule = { ...rule, id: lastId, happened: 0 };
      rules.push(made);
      return { ...made };
    },
    list: () => rules.map((rule) => ({ ...rule })),
    remove(id) {
      const count = rules.length;
      rules = rules.filter((rule) => rule.id !== id);
      return rules.length < count;
    },
    clear() {
      rules = [];
    },
    take(facts, isPossible = () => true) {
      if (rules.length === 0) return undefined;
      const rule = rules.find(
        (candidate) => hasTurn(candidate) && isPossible(candidate) && fits(candidate.match, facts) && wins(candidate, random),
      );
      if (rule === undefined) return undefined;
      rule.happened += 1;
      return rule;
    },
  };
}

function hasTurn(rule: LiveRule): boolean {
  return rule.times === undefined || rule.happened < rule.times;
}

function wins(rule: LiveRule, random: () => number): boolean {
  return rule.probability === undefined || random() < rule.probability;
}
