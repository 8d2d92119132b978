/** SettingsService: the settings of the house, for operators. */
import { SettingsService } from "@florin/gen/settings/v1/settings";
import { invalid } from "@florin/kernel";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { Author, SettingsAnswer, SettingsDesk } from "../app/settings-desk.ts";
import { looksSecret, noteLengthMax, personLengthMax, type SettingsChanges } from "../domain/settings/index.ts";
import type { SettingsVersion } from "../store/settings-versions.ts";

const pageDefault = 20;
const pageMax = 100;
const versionMax = 2 ** 31 - 1;

export function createSettingsService(desk: SettingsDesk): ServiceImplementation {
  return implement(SettingsService, {
    async getSettings({ version }) {
      const { document, ...found } = await desk.get(version === undefined ? undefined : checkVersion(version, "version"));
      return { version: versionToWire(found), document };
    },
    async putSettings(request, { peer }) {
      const { document, dryRun: isDryRun } = request;
      const baseVersion = checkVersion(request.baseVersion, "base_version");
      const answer = await desk.put({ document, baseVersion, isDryRun, ...authorOf(request, peer) });
      if (answer.kind === "conflict") return { result: { case: "conflict", value: { newestVersion: answer.newestVersion } } };
      return { result: answer.kind === "made" ? madeToWire(answer) : problemsToWire(answer) };
    },
    async rollBackSettings(request, { peer }) {
      const answer = await desk.rollBack({ version: checkVersion(request.version, "version"), ...authorOf(request, peer) });
      if (answer.kind === "conflict") throw invalid("payment_busy", "others changed the settings at the same moment: ask again", "version");
      return { result: answer.kind === "made" ? madeToWire(answer) : problemsToWire(answer) };
    },
    async listSettingsVersions({ limit, beforeVersion }) {
      if (limit > pageMax) throw invalid("parameter_invalid", `limit is at most ${pageMax}`, "limit");
      const before = beforeVersion === 0 ? versionMax : checkVersion(beforeVersion, "before_version");
      const versions = await desk.list({ before, limit: limit === 0 ? pageDefault : limit });
      return { versions: versions.map(({ changes, ...one }) => ({ ...versionToWire(one), changes: changesToWire(changes) })) };
    },
    async diffSettings({ fromVersion, toVersion }) {
      const changes = await desk.diff(checkVersion(fromVersion, "from_version"), checkVersion(toVersion, "to_version"));
      return { changes: changesToWire(changes) };
    },
    async listAppliedSettings() {
      const { newestVersion, replicas } = await desk.applied();
      return {
        newestVersion,
        replicas: replicas.map(({ appliedAtMs, seenAtMs, ...one }) => ({
          ...one,
          appliedAtMs: BigInt(appliedAtMs),
          seenAtMs: BigInt(seenAtMs),
        })),
      };
    },
  });
}

function checkVersion(version: number, param: string): number {
  if (version > versionMax) throw invalid("parameter_invalid", "there is no such version", param);
  return version;
}

const person = new RegExp(`^[\\p{L}\\p{N}][\\p{L}\\p{N} ._@-]{0,${personLengthMax - 1}}$`, "u");

/** But line breaks and tabs. A terminal obeys the others, and the database refuses NUL. */
const controlCharacter = /[^\P{Cc}\n\r\t]/u;

/** What is recorded is the certificate, which is proven, and the person, which is said. */
function authorOf({ madeBy, note }: { readonly madeBy: string; readonly note: string }, peer: string): Author {
  if (!person.test(madeBy)) throw invalid("parameter_invalid", "made_by names the person who does this", "made_by");
  if (note.length > noteLengthMax) throw invalid("parameter_invalid", `a note has at most ${noteLengthMax} characters`, "note");
  if (controlCharacter.test(note)) throw invalid("parameter_invalid", "a note is text, without control characters", "note");
  for (const [param, text] of Object.entries({ made_by: madeBy, note }))
    if (looksSecret(text)) throw invalid("parameter_invalid", "looks like a secret or a card number, which must not stand here", param);
  return { madeBy: `${peer}:${madeBy}`, note };
}

type Answered<Kind extends SettingsAnswer["kind"]> = Extract<SettingsAnswer, { readonly kind: Kind }>;

function madeToWire({ version, changes }: Answered<"made">) {
  return { case: "made" as const, value: { version, changes: changesToWire(changes) } };
}

function problemsToWire({ problems }: Answered<"invalid">) {
  return { case: "problems" as const, value: { problems: [...problems] } };
}

function changesToWire({ shown, count }: SettingsChanges) {
  return {
    count,
    changes: shown.map(({ path, before, after }) => ({
      path,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    })),
  };
}

function versionToWire({ version, madeAtMs, madeBy, note, rolledBackTo }: SettingsVersion) {
  return { version, madeAtMs: BigInt(madeAtMs), madeBy, note, ...(rolledBackTo === undefined ? {} : { rolledBackTo }) };
}
