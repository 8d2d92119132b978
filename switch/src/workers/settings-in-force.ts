/** The settings that one replica works by: which version, since when, and which newer one it could not read. */

import { required } from "@florin/kernel";
import type { Logger } from "@florin/runtime/telemetry";
import type { HouseSettings } from "../domain/routing/index.ts";
import {
  type BuiltIn,
  builtInLimits,
  type ConnectorRegistry,
  makeHouse,
  parseSettings,
  type ReadSettings,
  readBuiltIn,
  readSettingsJson,
  type SecretReference,
  type SettingsProblem,
  secretReferences,
} from "../domain/settings/index.ts";

export type SettingsInForce = {
  /** Asserts that something was taken. */
  readonly current: () => HouseSettings;
  readonly isEmpty: boolean;
  readonly version: number;
  /** Of the version in force. */
  readonly secrets: readonly SecretReference[];
  /** Unix milliseconds. */
  readonly appliedAtMs: number;
  /** 0: none. */
  readonly unreadVersion: number;
  /** The version that was taken or could not be read last; -1: none yet. */
  readonly lookedAt: number;
  /** False when this release cannot read it: then nothing changes but `unreadVersion`. */
  take(version: number, document: string): boolean;
  takeBuiltIn(): void;
  /** An older one, because the newest cannot be read; that stays said. */
  takeOlder(version: number, document: string): boolean;
  takeOlderBuiltIn(): void;
  /** What the connectors say they can do. */
  connect(registry: ConnectorRegistry): void;
};

export function createSettingsInForce(o: {
  readonly builtIn: BuiltIn;
  readonly logger: Logger;
  readonly now: () => number;
}): SettingsInForce {
  const builtIn = readBuiltIn(o.builtIn);
  let settings: ReadSettings | undefined;
  let house: HouseSettings | undefined;
  let registry: ConnectorRegistry | undefined;
  let registryText = "";
  let appliedAtMs = 0;
  let unreadVersion = 0;
  let lookedAt = -1;
  const apply = (next: ReadSettings): void => {
    house = makeHouse(next, registry);
    settings = next;
    appliedAtMs = o.now();
    warnOfMissing(o.logger, next, registry);
    o.logger.info({ settings_version: next.version }, "settings applied");
  };
  const takeOlder = (version: number, document: string): boolean => {
    const read = readStored(document, version, o.builtIn);
    if (read.kind === "parsed") apply(read.settings);
    return read.kind === "parsed";
  };
  return {
    current: () => required(house, "settings that were read"),
    get isEmpty() {
      return house === undefined;
    },
    get version() {
      return house?.version ?? 0;
    },
    get secrets() {
      return settings === undefined ? [] : secretReferences(settings);
    },
    get appliedAtMs() {
      return appliedAtMs;
    },
    get unreadVersion() {
      return unreadVersion;
    },
    get lookedAt() {
      return lookedAt;
    },
    take(version, document) {
      const read = readStored(document, version, o.builtIn);
      lookedAt = version;
      unreadVersion = read.kind === "parsed" ? 0 : version;
      if (read.kind === "parsed") apply(read.settings);
      else
        o.logger.warn(
          { settings_version: version, problems: read.problems.slice(0, 5) },
          "a settings version that this release cannot read; the last good one stays in force",
        );
      return read.kind === "parsed";
    },
    takeBuiltIn() {
      if (lookedAt === 0) return;
      lookedAt = 0;
      unreadVersion = 0;
      apply(builtIn);
    },
    takeOlder,
    takeOlderBuiltIn: () => apply(builtIn),
    connect(next) {
      const text = textOf(next);
      if (text === registryText) return;
      registry = next;
      registryText = text;
      if (settings === undefined) return;
      house = makeHouse(settings, registry);
      warnOfMissing(o.logger, settings, registry);
    },
  };
}

type Read = { kind: "parsed"; settings: ReadSettings } | { kind: "invalid"; problems: readonly SettingsProblem[] };

function readStored(document: string, version: number, builtIn: BuiltIn): Read {
  const read = readSettingsJson(document);
  return read.kind === "invalid" ? read : parseSettings(read.json, { version, limits: builtInLimits(builtIn) });
}

function warnOfMissing(logger: Logger, { processors, version }: ReadSettings, registry: ConnectorRegistry | undefined): void {
  if (registry === undefined || version === 0) return;
  const missing = processors.filter(({ name, isEnabled }) => isEnabled && !registry.has(name)).map(({ name }) => name);
  if (missing.length > 0)
    logger.warn({ settings_version: version, processors: missing }, "processors without a connector take no payments");
}

function textOf(registry: ConnectorRegistry): string {
  return JSON.stringify([...registry], (_name, value: unknown) => (value instanceof Set ? [...value].toSorted() : value));
}
