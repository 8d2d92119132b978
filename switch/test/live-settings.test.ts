/** How one replica keeps up with the settings and tells its connectors, without anybody to ask but the database. */
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { untilTrue } from "@florin/runtime/testing";
import { systemTiming } from "@florin/runtime/timing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSettingsDesk } from "../src/app/settings-desk.ts";
import type { SecretTeller } from "../src/clients/secret-teller.ts";
import { builtInDocument, type ConnectorRegistry } from "../src/domain/settings/index.ts";
import { sampleBuiltIn } from "../src/domain/settings/samples.ts";
import { createSettingsReplicas } from "../src/store/settings-replicas.ts";
import { createSettingsVersions, type SettingsVersions } from "../src/store/settings-versions.ts";
import { startLiveSettings } from "../src/workers/live-settings.ts";
import { logger, openStage, type Stage, telemetry } from "./stage.ts";

/** Only how long a test that will fail waits. */
const patienceMs = 20_000;

let stage: Stage;
let sql: Sql;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
  sql = connectPostgres({ url: stage.appUrl, name: "test-operator", connectionsMax: 1 });
  closers.push(() => sql.end({ timeout: 1 }));
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  await stage.stop();
});

/** Makes a version as an operator would, who is connected elsewhere. */
async function nextVersion(change: object = {}): Promise<number> {
  const versions = createSettingsVersions(sql);
  const version = ((await versions.newest(-1))?.version ?? 0) + 1;
  const document = JSON.stringify({ ...builtInDocument(sampleBuiltIn), bins: [], ...change });
  expect(await versions.append({ version, document, madeBy: "alice", note: "a test", rolledBackTo: undefined })).toBe(true);
  return version;
}

const ableToReverse = {
  currencies: new Set(["EUR"]) as ReadonlySet<string> | "any",
  networks: "any",
  capabilities: new Set(["reversal"] as const),
} as const;
const deaf: SecretTeller = { tell: async () => {}, onConnected: () => () => {} };

/** A replica in this process, over the stage's own database. */
async function follow({
  everyMs,
  change = (versions) => versions,
  connectors = async () => new Map(),
  secrets = deaf,
}: {
  readonly everyMs: number;
  readonly change?: (versions: SettingsVersions) => SettingsVersions;
  readonly connectors?: () => Promise<ConnectorRegistry>;
  readonly secrets?: SecretTeller;
}) {
  const own = connectPostgres({ url: stage.appUrl, name: "test-settings", connectionsMax: 1 });
  const closeOwn = () => own.end({ timeout: 1 });
  const starting = startLiveSettings(
    {
      versions: change(createSettingsVersions(own)),
      replicas: createSettingsReplicas(own),
      connectors,
      secrets,
      builtIn: sampleBuiltIn,
      replica: `follower/${everyMs}`,
      metrics: telemetry.metrics,
      logger,
      now: Date.now,
      timing: systemTiming,
    },
    everyMs,
  );
  starting.catch(closeOwn);
  const live = await starting;
  return {
    current: live.current,
    async stop() {
      await live.stop();
      await closeOwn();
    },
  };
}

/** Versions 1 to `newest`, as a newer release makes them. */
async function withUnreadable(newest: number, work: () => Promise<void>): Promise<void> {
  const owner = connectPostgres({ url: stage.ownerUrl, name: "test-owner", connectionsMax: 1 });
  try {
    await owner`
      INSERT INTO settings_versions (version, document, made_by, note)
      SELECT version, '{"fromTheFuture": 1}', 'newer', '' FROM generate_series(1, ${newest}::int) AS version`;
    await work();
  } finally {
    await owner`DELETE FROM settings_versions`;
    await owner.end({ timeout: 1 });
  }
}

describe("a replica that starts where it cannot read the newest version", () => {
  test.each([1, 2, 50, 51])("works by what is built in when it cannot read any of %i", async (newest) => {
    await withUnreadable(newest, async () => {
      const live = await follow({ everyMs: 3_600_000 });
      try {
        expect(live.current()).toMatchObject({ version: 0, processors: [{ name: "simpay" }] });
        const told = async () => (await createSettingsReplicas(sql).list(patienceMs)).map((one) => [one.version, one.unreadVersion]);
        await untilTrue(async () => (await told()).length > 0, patienceMs);
        expect(await told()).toEqual([[0, newest]]);
      } finally {
        await live.stop();
      }
    });
  });

  test("does not start when one that it has not looked at may be readable: it looks 50 back", async () => {
    await withUnreadable(52, async () => {
      await expect(follow({ everyMs: 3_600_000 })).rejects.toThrow(
        "one of the latest 50 versions of the settings can be read by this release",
      );
    });
  });
});

/** Whoever listens is told when the test says so. */
function comingBack() {
  const listeners = new Set<() => void>();
  const onConnected: SecretTeller["onConnected"] = (listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return { onConnected, comeBack: () => listeners.forEach((listener) => void listener()), listeners };
}

test("connectors that come back are asked at once what they can do by now", async () => {
  const { comeBack, onConnected, listeners } = comingBack();
  const registry = new Map([["simpay", ableToReverse]]);
  await nextVersion();
  const live = await follow({ everyMs: 3_600_000, secrets: { ...deaf, onConnected }, connectors: async () => new Map(registry) });
  const currencies = () => live.current().processors.find(({ name }) => name === "simpay")?.currencies;
  try {
    await untilTrue(() => currencies() !== "any", patienceMs);
    registry.set("simpay", { ...ableToReverse, currencies: new Set(["SEK"]) });
    // Sooner than its turn, which is every ten seconds.
    await untilTrue(() => {
      comeBack();
      return currencies() !== "any" && (currencies() as ReadonlySet<string>).has("SEK");
    }, 5_000);
  } finally {
    await live.stop();
  }
  expect(listeners.size).toBe(0);
});

test("a version with a connector that was deployed a moment ago takes payments as soon as it is in force", async () => {
  const registry = new Map([["simpay", ableToReverse]]);
  await nextVersion();
  const live = await follow({ everyMs: 3_600_000, connectors: async () => new Map(registry) });
  try {
    await untilTrue(() => live.current().processors.some(({ currencies }) => currencies !== "any"), patienceMs);
    registry.set("newpay", ableToReverse);
    const version = await nextVersion({ processors: [{ name: "newpay" }, { name: "simpay", enabled: false }] });
    await untilTrue(() => live.current().version === version, patienceMs);
    expect(live.current().processors.map(({ name }) => name)).toEqual(["newpay"]);
  } finally {
    await live.stop();
  }
});

test("a number that stands for another document, after the database was set back, is noticed", async () => {
  let isAway = false;
  const live = await follow({
    everyMs: 20,
    change: (versions) => ({
      ...versions,
      listen: () => Promise.reject(new Error("deaf")),
      newest: (known) => (isAway ? Promise.reject(new Error("away")) : versions.newest(known)),
    }),
  });
  const owner = connectPostgres({ url: stage.ownerUrl, name: "test-owner", connectionsMax: 1 });
  try {
    const version = await nextVersion({ limits: { cascadeWithinMs: 7_000 } });
    await untilTrue(() => live.current().limits.cascadeWithinMs === 7_000, patienceMs);
    isAway = true;
    await owner`DELETE FROM settings_versions WHERE version = ${version}`;
    expect(await nextVersion({ limits: { cascadeWithinMs: 1_234 } })).toBe(version);
    isAway = false;
    await untilTrue(() => live.current().limits.cascadeWithinMs === 1_234, patienceMs);
  } finally {
    await owner.end({ timeout: 1 });
    await live.stop();
  }
});

test("a version does not wait for connectors that do not answer", async () => {
  let answer = (_registry: ConnectorRegistry): void => {};
  const held = new Promise<ConnectorRegistry>((resolve) => {
    answer = resolve;
  });
  const live = await follow({ everyMs: 3_600_000, connectors: () => held });
  try {
    const version = await nextVersion();
    await untilTrue(() => live.current().version === version, 5_000);
  } finally {
    answer(new Map());
    await live.stop();
  }
});

test("the history of large changes comes in pages that fit into a message", async () => {
  const owner = connectPostgres({ url: stage.ownerUrl, name: "test-owner", connectionsMax: 1 });
  try {
    await owner`DELETE FROM settings_versions`;
    await owner`
      INSERT INTO settings_versions (version, document, made_by, note)
      SELECT version, (SELECT jsonb_object_agg('key' || key, repeat(version::text, 900)) FROM generate_series(1, 200) AS key), 'alice', ''
      FROM generate_series(1, 9) AS version`;
    const ask = (before: number) =>
      createSettingsDesk({
        ...{ versions: createSettingsVersions(sql), replicas: createSettingsReplicas(sql) },
        ...{ connectors: async () => new Map(), builtIn: sampleBuiltIn },
      }).list({ before, limit: 100 });
    const seen: number[] = [];
    for (let page = await ask(1_000); page.length > 0; page = await ask(page.at(-1)?.version ?? 0)) {
      expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan(4_000_000);
      expect(page.length).toBeLessThan(9);
      seen.push(...page.map(({ version }) => version));
    }
    expect(seen).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  } finally {
    await owner`DELETE FROM settings_versions`;
    await owner.end({ timeout: 1 });
  }
});

test("connectors that come back are told at once, and those that could not be told are told again", async () => {
  const told: number[] = [];
  let isAway = true;
  const { comeBack, onConnected } = comingBack();
  const secrets: SecretTeller = {
    async tell(version) {
      told.push(version);
      if (isAway) throw new Error("away");
    },
    onConnected,
  };
  const live = await follow({ everyMs: 3_600_000, secrets });
  try {
    await untilTrue(() => told.length >= 2, patienceMs);
    isAway = false;
    const before = told.length;
    await untilTrue(() => told.length > before, patienceMs);
    for (let times = told.length; times < before + 6; times = told.length) {
      comeBack();
      await untilTrue(() => told.length > times, 3_000);
    }
    expect(new Set(told)).toEqual(new Set([live.current().version]));
  } finally {
    await live.stop();
  }
});

describe("of the two ways to learn of a version", () => {
  test("the notification alone is enough, also after its connection was lost", async () => {
    const live = await follow({ everyMs: 3_600_000 });
    try {
      const version = await nextVersion();
      await untilTrue(() => live.current().version === version, patienceMs);
      // Only a superuser sees what another role's session does.
      const superuser = connectPostgres({ url: stage.superuserUrl, name: "test-superuser", connectionsMax: 1 });
      closers.push(() => superuser.end({ timeout: 1 }));
      const cut = await superuser`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-settings' AND query ILIKE 'listen%'`;
      expect(cut.length).toBe(1);
      // It listens again, and looks when it does.
      const next = await nextVersion();
      await untilTrue(() => live.current().version === next, patienceMs);
    } finally {
      await live.stop();
    }
  });

  test("the look alone is enough", async () => {
    const live = await follow({ everyMs: 200, change: (versions) => ({ ...versions, listen: () => Promise.reject(new Error("deaf")) }) });
    try {
      const version = await nextVersion();
      await untilTrue(() => live.current().version === version, patienceMs);
    } finally {
      await live.stop();
    }
  });

  test("a replica learns while it runs what its connectors can do, also when they could not be asked at first", async () => {
    let isAway = true;
    const connectors = async (): Promise<ConnectorRegistry> => {
      if (isAway) throw new Error("away");
      return new Map([["simpay", ableToReverse]]);
    };
    const live = await follow({ everyMs: 200, connectors });
    try {
      expect(live.current().processors).toMatchObject([{ name: "simpay", currencies: "any" }]);
      isAway = false;
      const simpay = () => live.current().processors.find(({ name }) => name === "simpay");
      await untilTrue(() => simpay()?.currencies !== "any", patienceMs);
      expect(simpay()).toMatchObject({ currencies: new Set(["EUR"]), capabilities: new Set(["reversal"]) });
    } finally {
      await live.stop();
    }
  });
});
