/**
 * Reads a settings document whole. All problems are told at once, each with the path of its field and never with what stood there; a
 * document that was read can be worked with without another check.
 *
 * Two steps: what the document says (here), and what becomes of it with the connectors that there are (`make-house.ts`).
 */
import type { HouseLimits, MerchantRouting } from "../routing/house-settings.ts";
import type { Issuer } from "../routing/issuer-table.ts";
import { isFields, makeFindings, type RuleProblem, sayUnknownFields } from "../routing/rules/findings.ts";
import { problemsMax, processorsMax } from "./bounds.ts";
import { parseBins } from "./parse-bins.ts";
import { parseLimits } from "./parse-limits.ts";
import { parseMerchants } from "./parse-merchants.ts";
import { type ProcessorSettings, parseProcessor } from "./parse-processor.ts";
import type { Field } from "./read-fields.ts";
import { isTooDeep, secretsIn } from "./secrets-in.ts";

/** `path` as in "processors[1].fees.rateBps"; empty for the document itself. */
export type SettingsProblem = RuleProblem;

export type ReadSettings = {
  readonly version: number;
  /** All, in the order of the house; disabled ones too. */
  readonly processors: readonly ProcessorSettings[];
  /** By merchant id, and "default". */
  readonly merchants: ReadonlyMap<string, MerchantRouting>;
  readonly limits: HouseLimits;
  /** By prefix of the card number. */
  readonly bins: ReadonlyMap<string, Issuer>;
};

/** Where a processor's secrets are, of those that are not enabled too: their open payments go on. */
export type SecretReference = { readonly processor: string; readonly name: string; readonly reference: string };

export function secretReferences({ processors }: ReadSettings): readonly SecretReference[] {
  return processors.flatMap(({ name: processor, secrets }) => [...secrets].map(([name, reference]) => ({ processor, name, reference })));
}

export type ParsedSettings =
  | { readonly kind: "parsed"; readonly settings: ReadSettings }
  | { readonly kind: "invalid"; readonly problems: readonly SettingsProblem[] };

/** For people and their editors; neither is stored. */
export const editorFields = ["$schema", "version"] as const;
export const documentFields = ["processors", "merchants", "limits", "bins"] as const;

/** `version`: the one this document is, or would become. `limits`: for those that it does not name. */
export function parseSettings(json: unknown, o: { readonly version: number; readonly limits: HouseLimits }): ParsedSettings {
  const findings = makeFindings(problemsMax);
  if (!isFields(json)) return invalid([{ path: "", problem: "must be an object with processors and merchants" }]);
  if (isTooDeep(json)) return invalid([{ path: "", problem: "objects and lists stand too deep in one another" }]);
  for (const path of secretsIn(json)) findings.say(path, "looks like a secret or a card number, which must not stand here");
  sayUnknownFields(json, { known: [...editorFields, ...documentFields], path: "", findings });
  sayEditorFields(json, findings);
  const at = (name: string): Field => ({ value: json[name], path: name, findings });
  const processors = parseProcessors(at("processors"));
  const context = { version: o.version, processors: new Set(processors.map(({ name }) => name)) };
  const merchants = parseMerchants(at("merchants"), context);
  const limits = parseLimits(at("limits"), o.limits);
  const bins = parseBins(at("bins"));
  return findings.problems.length > 0
    ? invalid(findings.problems)
    : { kind: "parsed", settings: { version: o.version, processors, merchants, limits, bins } };
}

function invalid(problems: readonly SettingsProblem[]): ParsedSettings {
  return { kind: "invalid", problems };
}

function sayEditorFields(json: Readonly<Record<string, unknown>>, findings: Field["findings"]): void {
  const { $schema = "", version = 0 } = json;
  if (typeof $schema !== "string") findings.say("$schema", "must be a text");
  if (!Number.isSafeInteger(version) || (version as number) < 0)
    findings.say("version", "must be the version that this was made from, a whole number from 0");
}

function parseProcessors({ value, path, findings }: Field): readonly ProcessorSettings[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > processorsMax) {
    findings.say(path, `must list 1 to ${processorsMax} processors`);
    return [];
  }
  const read = value.map((one: unknown, index) => parseProcessor({ value: one, path: `${path}[${index}]`, findings }));
  const names = read.map((one) => one?.name);
  for (const [index, name] of names.entries())
    if (name !== undefined && names.indexOf(name) < index) findings.say(`${path}[${index}].name`, "stands in the list already");
  const processors = read.filter((one) => one !== undefined);
  if (processors.length > 0 && processors.every(({ isEnabled }) => !isEnabled)) findings.say(path, "at least one must be enabled");
  return processors;
}
