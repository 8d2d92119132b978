/** What each command asks the switch, and what it prints. */
import { setTimeout as sleep } from "node:timers/promises";
import type {
  PutSettingsResponse,
  RollBackSettingsResponse,
  SettingsChanges,
  SettingsService,
  SettingsVersion,
} from "@florin/gen/settings/v1/settings";
import type { Client } from "@florin/runtime/rpc";
import { readDocument } from "./document-file.ts";
import { type CommandName, type Options, versionOf } from "./options.ts";

type Settings = Client<typeof SettingsService>;
type Printed = { readonly lines: readonly string[]; readonly isGood: boolean };
type Command = (settings: Settings, options: Options) => Promise<Printed>;

const within = { timeoutMs: 15_000 };
const appliedWithinMs = 10_000;
const pollMs = 50;
const good = (...lines: readonly string[]): Printed => ({ lines, isGood: true });

export const commands: Readonly<Record<CommandName, Command>> = {
  async get(settings, { words: [version] }) {
    const found = await settings.getSettings(version === undefined ? {} : { version: versionOf(version) }, within);
    // The first field says what the file was made from; put goes by it.
    return good(JSON.stringify({ version: found.version?.version, ...(JSON.parse(found.document) as object) }, null, 2));
  },
  async check(settings, options) {
    const request = await requestOf(settings, options);
    const { result } = await settings.putSettings({ ...request, madeBy: "check", note: "", dryRun: true }, within);
    if (result.case !== "made") return refused(result, request.baseVersion);
    return good("the document is good", ...changeLines(result.value.changes, "it would change nothing"));
  },
  async put(settings, options) {
    const request = await requestOf(settings, options);
    const { result } = await settings.putSettings(request, within);
    return result.case === "made" ? untilApplied(settings, result.value) : refused(result, request.baseVersion);
  },
  async history(settings, { limit }) {
    const { versions } = await settings.listSettingsVersions({ limit }, within);
    return good(
      ...(versions.length === 0 ? ["what is built in is in force; nobody has made a version yet"] : versions.flatMap(historyLines)),
    );
  },
  async diff(settings, { words }) {
    const [fromVersion = 0, toVersion = 0] = words.map(versionOf);
    const { changes } = await settings.diffSettings({ fromVersion, toVersion }, within);
    return good(...changeLines(changes, "nothing differs"));
  },
  async rollback(settings, { words: [version = ""], by, note }) {
    const { result } = await settings.rollBackSettings({ version: versionOf(version), madeBy: by, note }, within);
    return result.case === "made" ? untilApplied(settings, result.value) : refused(result);
  },
  async applied(settings) {
    const { newestVersion, replicas } = await settings.listAppliedSettings({}, within);
    const lines = replicas.map(({ replica, version, appliedAtMs, unreadVersion }) => {
      const unread = unreadVersion === 0 ? "" : `, cannot read version ${unreadVersion}`;
      return `${replica}  version ${version} since ${timeOf(appliedAtMs)}${unread}`;
    });
    return { lines: [`newest version ${newestVersion}`, ...lines], isGood: replicas.every(({ version }) => version === newestVersion) };
  },
};

/** The file's text, and the version it was made from: as said, as it says itself, or the newest for a file that is only checked. */
async function requestOf(settings: Settings, { command, words: [file = ""], callerDirectory, base, by, note }: Options) {
  const document = readDocument(file, callerDirectory);
  const written = base ?? baseIn(document);
  if (written === undefined && command === "put")
    throw new Error(`${file} does not say which version it was made from: begin with npx florin settings get, or add --base`);
  const baseVersion = written ?? (await settings.getSettings({}, within)).version?.version ?? 0;
  return { document, baseVersion, madeBy: by, note };
}

/** A text that is no JSON has none; what is wrong with it the switch says. */
function baseIn(document: string): number | undefined {
  try {
    const { version } = JSON.parse(document) as { readonly version?: unknown };
    return Number.isSafeInteger(version) && (version as number) >= 0 ? (version as number) : undefined;
  } catch {
    return undefined;
  }
}

/** `baseVersion`: what a document was made from. */
function refused(result: PutSettingsResponse["result"] | RollBackSettingsResponse["result"], baseVersion = 0): Printed {
  if (result.case === "problems") {
    const { problems } = result.value;
    return { lines: problems.map(({ path, problem }) => `${path === "" ? "the document" : path}: ${problem}`), isGood: false };
  }
  const newest = result.case === "conflict" ? result.value.newestVersion : 0;
  if (baseVersion > newest)
    return { lines: [`there is no version ${baseVersion} that a document can be made from: the newest is ${newest}`], isGood: false };
  return { lines: [`somebody else made version ${newest} meanwhile: get it, and make your change there`], isGood: false };
}

type Made = { readonly version: number; readonly changes?: SettingsChanges | undefined };

async function untilApplied(settings: Settings, { version, changes }: Made): Promise<Printed> {
  const startedAtMs = performance.now();
  const head = [`version ${version} made`, ...changeLines(changes, "it changes nothing")];
  for (;;) {
    const { replicas } = await settings.listAppliedSettings({}, within);
    const behind = replicas.filter((one) => one.version < version).map(({ replica }) => replica);
    const tookMs = performance.now() - startedAtMs;
    if (behind.length === 0 && replicas.length > 0)
      return good(...head, `applied by all ${replicas.length} replicas after ${(tookMs / 1_000).toFixed(1)} s`);
    if (tookMs > appliedWithinMs)
      return { lines: [...head, `not yet applied by ${behind.join(", ")}: see npx florin settings applied`], isGood: false };
    await sleep(pollMs);
  }
}

function historyLines({ version, madeAtMs, madeBy, note, rolledBackTo, changes }: SettingsVersion): readonly string[] {
  const back = rolledBackTo === undefined ? "" : `, back to version ${rolledBackTo}`;
  const why = note === "" ? "" : `: ${note}`;
  return [
    `version ${version}  ${timeOf(madeAtMs)}  ${madeBy}${back}${why}`,
    ...changeLines(changes, "changes nothing").map((line) => `  ${line}`),
  ];
}

function changeLines(changes: SettingsChanges | undefined, none: string): readonly string[] {
  const shown = changes?.changes ?? [];
  const lines = shown.map(({ path, before, after }) => `${path}: ${before ?? "nothing"} → ${after ?? "nothing"}`);
  const hidden = (changes?.count ?? 0) - shown.length;
  return lines.length === 0 ? [none] : [...lines, ...(hidden > 0 ? [`and ${hidden} more`] : [])];
}

function timeOf(unixMs: bigint): string {
  return new Date(Number(unixMs)).toISOString();
}
