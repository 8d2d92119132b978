/**
 * Reads a merchant's rules from JSON. Problems are told all at once, each with the path of the field it is about; rules that were read can be
 * walked without another check. Depth and size are bounded while reading, so nobody's rules cost more than they may.
 */
import { type Fields, type Findings, isFields, makeFindings, type RuleProblem, sayUnknownFields } from "./findings.ts";
import { parseCondition } from "./parse-condition.ts";
import { depthMax, listMax, type MerchantRules, type RuleLeaf, type RuleNode } from "./rule-tree.ts";

export type ParsedRules =
  | { readonly kind: "parsed"; readonly rules: MerchantRules }
  | { readonly kind: "invalid"; readonly problems: readonly RuleProblem[] };

/** `processors`: the names that rules may use. */
export function parseRules(json: unknown, processors: ReadonlySet<string>): ParsedRules {
  const findings = makeFindings();
  if (!isFields(json)) return { kind: "invalid", problems: [{ path: "", problem: "must be an object with version and rules" }] };
  sayUnknownFields(json, { known: ["version", "rules"], path: "", findings });
  const version = json["version"];
  if (!Number.isSafeInteger(version) || (version as number) < 1) findings.say("version", "must be a whole number from 1");
  const root = parseNode(json["rules"], "rules", { findings, processors, depth: 1 });
  return root === undefined || findings.problems.length > 0
    ? { kind: "invalid", problems: findings.problems }
    : { kind: "parsed", rules: { version: version as number, root } };
}

type Reading = { readonly findings: Findings; readonly processors: ReadonlySet<string>; readonly depth: number };

function parseNode(value: unknown, path: string, reading: Reading): RuleNode | undefined {
  const { findings, depth } = reading;
  if (!findings.hasRoom(path)) return undefined;
  if (depth > depthMax) return void findings.say(path, `rules stand more than ${depthMax} deep`);
  if (!isFields(value)) return void findings.say(path, "must be an object");
  const below = { ...reading, depth: depth + 1 };
  if ("when" in value) return parseWhen(value, path, below);
  if ("split" in value) return parseSplit(value, path, below);
  if ("priority" in value || "choose" in value) return parseLeaf(value, path, reading);
  return void findings.say(path, "must have one of when, split, priority, choose");
}

function parseWhen(value: Fields, path: string, below: Reading): RuleNode | undefined {
  const { findings } = below;
  sayUnknownFields(value, { known: ["when", "use", "otherwise"], path, findings });
  const condition = parseCondition(value["when"], `${path}.when`, findings);
  const use = parseNode(value["use"], `${path}.use`, below);
  const otherwise = parseNode(value["otherwise"], `${path}.otherwise`, below);
  if (condition === undefined || use === undefined || otherwise === undefined) return undefined;
  return { kind: "when", condition, use, otherwise, path };
}

function parseSplit(value: Fields, path: string, below: Reading): RuleNode | undefined {
  const { findings } = below;
  sayUnknownFields(value, { known: ["split"], path, findings });
  const parts = value["split"];
  if (!Array.isArray(parts) || parts.length < 2 || parts.length > listMax)
    return void findings.say(`${path}.split`, `must list 2 to ${listMax} branches`);
  let percent = 0;
  const branches = parts.map((part: unknown, index) => {
    const at = `${path}.split[${index}]`;
    if (!isFields(part)) return void findings.say(at, "must be an object");
    sayUnknownFields(part, { known: ["share", "to"], path: at, findings });
    const share = part["share"];
    if (!isPercent(share)) findings.say(`${at}.share`, "must be a whole number of percent from 0 to 100");
    else percent += share;
    const to = parseNode(part["to"], `${at}.to`, below);
    return to && { untilBps: percent * 100, to };
  });
  if (percent !== 100) return void findings.say(`${path}.split`, "shares must add up to 100");
  return branches.every((branch) => branch !== undefined) ? { kind: "split", branches, path } : undefined;
}

function parseLeaf(value: Fields, path: string, { findings, processors }: Reading): RuleLeaf | undefined {
  const kind = "priority" in value ? "priority" : "choose";
  sayUnknownFields(value, { known: [kind, "others"], path, findings });
  const names: unknown = value[kind];
  const { others = "after" } = value;
  if (others !== "after" && others !== "never") return void findings.say(`${path}.others`, "must be after or never");
  if (!Array.isArray(names) || names.length === 0 || names.length > listMax)
    return void findings.say(`${path}.${kind}`, `must list 1 to ${listMax} processors`);
  const unknown = names.findIndex((name: unknown) => typeof name !== "string" || !processors.has(name));
  if (unknown >= 0) return void findings.say(`${path}.${kind}[${unknown}]`, "is no processor of this house");
  if (new Set(names).size < names.length) return void findings.say(`${path}.${kind}`, "must not name a processor twice");
  return { kind, processors: names as readonly string[], others, path };
}

function isPercent(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 100;
}
