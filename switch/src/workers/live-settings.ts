/**
 * Keeps this replica's settings at the newest version. Told of a new one by a notification, and looking by itself every second, because a
 * notification can be lost. What payments are decided by is one immutable value, exchanged as a whole.
 *
 * The last good value stays in force while the database is away, and when the newest version is one that this release cannot read: then
 * a metric, a warning and the replica's row say so. A replica that starts then takes the newest version that it can read.
 */
import { assert } from "@florin/kernel";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { Timing } from "@florin/runtime/timing";
import type { SettingsFollowerParts } from "../app/settings-desk.ts";
import type { HouseSettings } from "../domain/routing/index.ts";
import { createSettingsInForce, type SettingsInForce } from "./settings-in-force.ts";

export type LiveSettings = {
  readonly current: () => HouseSettings;
  /** Ends the looking and takes this replica off the list. Safe to repeat. */
  stop(): Promise<void>;
};

export type LiveSettingsParts = SettingsFollowerParts & {
  /** Name among the replicas. */
  readonly replica: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly now: () => number;
  readonly timing: Timing;
};

/** Half of what a new version may take to every replica, so that one lost notification and one slow answer fit. */
export const lookEveryMs = 1_000;
const tellEveryMs = 5_000;
const askConnectorsEveryMs = 10_000;
/** Every so many looks the document is read whole: after the database was set back, the number in force may stand for another one. */
const wholeEvery = 20;
/** How long a new version waits to hear what the connectors can do by now. */
const meetConnectorsMsMax = 500;
/** Told again, the connectors read files again: a key that was exchanged in its place, or was not there yet, is taken within this. */
const tellSecretsEveryMs = 10_000;

/** Resolves when the first look has succeeded: nothing is decided before. Rejects when the database cannot be read, as the process' start does. */
export async function startLiveSettings(o: LiveSettingsParts, everyMs: number = lookEveryMs): Promise<LiveSettings> {
  const inForce = createSettingsInForce(o);
  const look = createLook(o, inForce);
  await look();
  o.metrics.gauge("switch_settings_version", () => inForce.version);
  o.metrics.gauge("switch_settings_unread_version", () => inForce.unreadVersion);
  const tell = createTeller(o, inForce);
  const secretTeller = repeat(o, {
    work: () => o.secrets.tell(inForce.version, inForce.secrets),
    everyMs: tellSecretsEveryMs,
    afterFaultMs: lookEveryMs,
    faultsQuiet: 5,
    complaint: "the connectors could not be told where secrets are; they keep the keys that they have",
  });
  const forgetConnectors = o.secrets.onConnected(secretTeller.hurry);
  const follower = repeat(o, {
    work: async () => {
      const before = inForce.version;
      await look();
      if (inForce.version !== before) secretTeller.hurry();
      await tell();
    },
    everyMs,
    afterFaultMs: everyMs,
    faultsQuiet: 0,
    complaint: "the settings could not be followed; the last ones stay in force",
  });
  const asker = repeat(o, {
    work: async () => inForce.connect(await o.connectors()),
    everyMs: askConnectorsEveryMs,
    afterFaultMs: lookEveryMs,
    // When a replica starts, its link to the connectors comes up beside this.
    faultsQuiet: 5,
    complaint: "the connectors could not be asked what they can do; what is known of them stays",
  });
  const forgetAsker = o.secrets.onConnected(asker.hurry);
  o.versions.listen(follower.hurry).catch((err: unknown) => o.logger.warn({ err }, "settings are not told of; they are looked for"));
  return {
    current: inForce.current,
    async stop() {
      forgetConnectors();
      forgetAsker();
      await Promise.all([follower.stop(), asker.stop(), secretTeller.stop()]);
      await o.replicas.forget(o.replica).catch((err: unknown) => o.logger.warn({ err }, "this replica could not be taken off the list"));
    },
  };
}

function createLook(o: LiveSettingsParts, inForce: SettingsInForce): () => Promise<void> {
  const { versions } = o;
  let looks = 0;
  let lookedAtDocument = "";
  return async () => {
    const newest = await versions.newest(++looks % wholeEvery === 0 ? -1 : inForce.lookedAt);
    if (newest === undefined) inForce.takeBuiltIn();
    if (newest?.document === undefined || (newest.version === inForce.lookedAt && newest.document === lookedAtDocument)) return;
    await meetConnectors(o, inForce);
    lookedAtDocument = newest.document;
    if (!inForce.take(newest.version, newest.document) && inForce.isEmpty) await takeOlder(versions, inForce, newest.version);
  };
}

/**
 * A version is checked against what the connectors can do at that moment, so it is applied with that, too: with what was heard ten seconds ago
 * one that names a connector deployed since would refuse its payments. A version does not wait for connectors that cannot be asked.
 */
async function meetConnectors({ connectors, timing }: LiveSettingsParts, inForce: SettingsInForce): Promise<void> {
  const isOver = new AbortController();
  // What is wrong with them the asker says.
  const met = connectors().then(inForce.connect, () => {});
  await Promise.race([met, timing.sleep(meetConnectorsMsMax, isOver.signal)]);
  isOver.abort();
}

/** So many versions back a replica of an older release finds one that it can read, or the first of all, or does not start. */
const olderMax = 50;

async function takeOlder(versions: LiveSettingsParts["versions"], inForce: SettingsInForce, before: number): Promise<void> {
  let [next] = await versions.list({ before, limit: 1 });
  for (let tries = 0; next !== undefined; tries++) {
    // One further back may be readable: what is built in is not taken over its head.
    assert(tries < olderMax, `one of the latest ${olderMax} versions of the settings can be read by this release`);
    if (inForce.takeOlder(next.version, next.document)) return;
    [next] = await versions.list({ before: next.version, limit: 1 });
  }
  inForce.takeOlderBuiltIn();
}

/** Says what this replica works by: at once when it changes, and now and then to show that it lives. */
function createTeller({ replicas, replica, timing }: LiveSettingsParts, inForce: SettingsInForce): () => Promise<void> {
  let told = "";
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    const { version, appliedAtMs, unreadVersion } = inForce;
    const state = `${version}/${unreadVersion}`;
    if (state === told && timing.monotonicMs() - toldAtMs < tellEveryMs) return;
    await replicas.tell(replica, { version, appliedAtMs, unreadVersion });
    told = state;
    toldAtMs = timing.monotonicMs();
  };
}

type Repeated = { /** Does it now; once more when it is being done. */ readonly hurry: () => void; stop(): Promise<void> };

type Repetition = {
  readonly work: () => Promise<void>;
  readonly everyMs: number;
  readonly afterFaultMs: number;
  /** So many faults in a row are nothing to speak of; the next is logged, and so is the end of such a row. */
  readonly faultsQuiet: number;
  readonly complaint: string;
};

/** One at a time. */
function repeat({ timing, logger }: LiveSettingsParts, o: Repetition): Repeated {
  let isStopping = false;
  let faults = 0;
  let nap = new AbortController();
  async function attempt(): Promise<void> {
    try {
      await o.work();
      if (faults > o.faultsQuiet) logger.info({ faults }, "the settings and the connectors are followed again");
      faults = 0;
    } catch (err) {
      faults += 1;
      if (faults === o.faultsQuiet + 1) logger.warn({ err }, o.complaint);
    }
  }
  async function run(): Promise<void> {
    while (!isStopping) {
      nap = new AbortController();
      await attempt();
      if (!isStopping) await timing.sleep(faults > 0 ? o.afterFaultMs : o.everyMs, nap.signal);
    }
  }
  const running = run();
  return {
    hurry: () => nap.abort(),
    async stop() {
      isStopping = true;
      nap.abort();
      await running;
    },
  };
}
