/**
 * What operators do with the settings: look, change, go back, compare. A change is checked whole, against the connectors that there are, before
 * it is stored; what is stored is applied by every replica on its own (workers/live-settings.ts).
 */
import { invalid } from "@florin/kernel";
import type { AskConnectors } from "../clients/connector-registry.ts";
import type { SecretTeller } from "../clients/secret-teller.ts";
import {
  type BuiltIn,
  builtInDocument,
  builtInLimits,
  changesBetween,
  documentFields,
  documentLengthMax,
  parseSettings,
  readSettingsJson,
  registryProblems,
  type SettingsChanges,
  type SettingsProblem,
} from "../domain/settings/index.ts";
import type { ReplicaSettings, SettingsReplicas } from "../store/settings-replicas.ts";
import type { SettingsVersion, SettingsVersions, StoredSettings } from "../store/settings-versions.ts";

export type SettingsDeskParts = {
  readonly versions: SettingsVersions;
  readonly replicas: SettingsReplicas;
  readonly connectors: AskConnectors;
  readonly builtIn: BuiltIn;
};

/** What a replica needs beside, to work by what was decided. */
export type SettingsFollowerParts = SettingsDeskParts & { readonly secrets: SecretTeller };

/** Who does it: the certificate and the person; and why. */
export type Author = { readonly madeBy: string; readonly note: string };

export type SettingsAnswer =
  | { readonly kind: "made"; readonly version: number; readonly changes: SettingsChanges }
  | { readonly kind: "invalid"; readonly problems: readonly SettingsProblem[] }
  | { readonly kind: "conflict"; readonly newestVersion: number };

export interface SettingsDesk {
  /** Undefined: the newest; 0: what is built in. Throws AppError parameter_invalid for a version that is not there. */
  get(version: number | undefined): Promise<StoredSettings>;
  /** `baseVersion`: the one that `document` was made from. A dry run says what would be made. Throws AppError while the connectors cannot be asked. */
  put(o: Author & { readonly document: string; readonly baseVersion: number; readonly isDryRun: boolean }): Promise<SettingsAnswer>;
  /** Makes a next version with the document of an earlier one, also while the connectors cannot be asked: it held before. */
  rollBack(o: Author & { readonly version: number }): Promise<SettingsAnswer>;
  /** The newest first, with what each changed. A page ends early where changes are long: whoever wants more asks from its last version on. */
  list(o: {
    readonly before: number;
    readonly limit: number;
  }): Promise<readonly (SettingsVersion & { readonly changes: SettingsChanges })[]>;
  diff(from: number, to: number): Promise<SettingsChanges>;
  applied(): Promise<{ readonly newestVersion: number; readonly replicas: readonly ReplicaSettings[] }>;
}

/** A replica tells of itself every 5 s. */
const heardWithinMs = 15_000;
/** Characters of changes in a page of the history, of which one version has up to 400,000: with three bytes each it fits into a message of 4 MB. */
const pageLengthMax = 700_000;
/** Going back is for the middle of the night: it does not fail because somebody put something at the same moment. */
const rollbackTriesMax = 3;

export function createSettingsDesk(o: SettingsDeskParts): SettingsDesk {
  const { versions } = o;
  const builtIn: StoredSettings = {
    version: 0,
    madeAtMs: 0,
    madeBy: "",
    note: "",
    rolledBackTo: undefined,
    document: JSON.stringify(builtInDocument(o.builtIn)),
  };
  const newestVersion = async (): Promise<number> => (await versions.newest(-1))?.version ?? 0;
  const get = async (asked: number | undefined): Promise<StoredSettings> => {
    const version = asked ?? (await newestVersion());
    const found = version === 0 ? builtIn : await versions.read(version);
    if (found === undefined) throw invalid("parameter_invalid", "there is no such version", "version");
    return found;
  };
  const append = async (
    base: StoredSettings,
    made: Author & { document: string; rolledBackTo: number | undefined },
  ): Promise<SettingsAnswer> => {
    const version = base.version + 1;
    if (!(await versions.append({ ...made, version }))) return { kind: "conflict", newestVersion: await newestVersion() };
    return { kind: "made", version, changes: changed(base, made.document) };
  };
  return {
    get,
    async put({ document, baseVersion, isDryRun, ...author }) {
      const base = await get(undefined);
      if (base.version !== baseVersion) return { kind: "conflict", newestVersion: base.version };
      const checked = check(document, base.version + 1, o.builtIn);
      if (checked.kind === "invalid") return checked;
      const problems = registryProblems(checked.settings, await o.connectors());
      if (problems.length > 0) return { kind: "invalid", problems };
      if (isDryRun) return { kind: "made", version: base.version + 1, changes: changed(base, checked.document) };
      return append(base, { ...author, document: checked.document, rolledBackTo: undefined });
    },
    async rollBack({ version, ...author }) {
      const target = await get(version);
      for (let tries = 1; ; tries++) {
        const base = await get(undefined);
        const checked = check(target.document, base.version + 1, o.builtIn);
        if (checked.kind === "invalid") return checked;
        const answer = await append(base, { ...author, document: checked.document, rolledBackTo: version });
        if (answer.kind === "made" || tries === rollbackTriesMax) return answer;
      }
    },
    async list({ before, limit }) {
      const found: (SettingsVersion & { readonly changes: SettingsChanges })[] = [];
      let [next] = await versions.list({ before, limit: 1 });
      // One by one: a page of documents would be more than this process should hold beside its payments.
      let length = 0;
      while (next !== undefined && found.length < limit && length < pageLengthMax) {
        const { document, ...one } = next;
        [next] = await versions.list({ before: one.version, limit: 1 });
        const changes = changed(next ?? builtIn, document);
        length += lengthOf(changes);
        found.push({ ...one, changes });
      }
      return found;
    },
    diff: async (from, to) => changed(await get(from), (await get(to)).document),
    applied: async () => ({ newestVersion: await newestVersion(), replicas: await o.replicas.list(heardWithinMs) }),
  };
}

function lengthOf({ shown }: SettingsChanges): number {
  return shown.reduce((length, { path, before = "", after = "" }) => length + path.length + before.length + after.length, 0);
}

function changed(before: StoredSettings, after: string): SettingsChanges {
  return changesBetween(JSON.parse(before.document), JSON.parse(after));
}

/** The document as it is stored: without what is for editors. */
function check(text: string, version: number, builtIn: BuiltIn) {
  const read = readSettingsJson(text);
  if (read.kind === "invalid") return read;
  const parsed = parseSettings(read.json, { version, limits: builtInLimits(builtIn) });
  if (parsed.kind === "invalid") return parsed;
  const fields = read.json as Readonly<Record<string, unknown>>;
  const document = JSON.stringify(Object.fromEntries(documentFields.map((name) => [name, fields[name]])));
  if (document.length > documentLengthMax)
    return {
      kind: "invalid" as const,
      problems: [{ path: "", problem: `is longer than ${documentLengthMax} characters, without blanks` }],
    };
  return { ...parsed, document };
}
