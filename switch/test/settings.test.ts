/** The settings of the house on two real switch processes: applied everywhere within 2 s, one call back, every step on record. */
import { PaymentService } from "@florin/gen/payments/v1/payments";
import { type PutSettingsResponse, SettingsService } from "@florin/gen/settings/v1/settings";
import { required } from "@florin/kernel";
import { testCards } from "@florin/kernel/test-cards";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { type Client, connectUnary } from "@florin/runtime/rpc";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sampleInterchange } from "../src/domain/routing/samples.ts";
import { outcomes } from "./processor-double.ts";
import { createRequest, newWireCaller, within } from "./rpc-stage.ts";
import { logger, openStage, type Stage } from "./stage.ts";
import { type SwitchProcess, startSwitch } from "./switch-process.ts";

/** The promise: from the commit of a version until every replica works by it. */
const appliedWithinMs = 2_000;
/** Only how long a test that will fail waits. */
const patienceMs = 20_000;

type Settings = Client<typeof SettingsService>;
type Payments = Client<typeof PaymentService>;
type Replica = { readonly process: SwitchProcess; readonly settings: Settings; readonly payments: Payments };

let stage: Stage;
let owner: Sql;
const closers: (() => unknown)[] = [];
const replicas: Replica[] = [];
const [first, second] = [() => required(replicas[0], "a replica"), () => required(replicas[1], "a replica")];

async function startReplica(): Promise<Replica> {
  const process = await startSwitch(stage);
  const options = { address: process.address, tls: { kind: "off" }, logger } as const;
  const settings = connectUnary(SettingsService, options);
  const payments = connectUnary(PaymentService, options);
  closers.push(async () => {
    await Promise.all([settings.close(), payments.close()]);
    await process.stop();
  });
  return { process, settings, payments };
}

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
  owner = connectPostgres({ url: stage.ownerUrl, name: "test-owner", connectionsMax: 1 });
  closers.push(() => owner.end({ timeout: 1 }));
  replicas.push(...(await Promise.all([startReplica(), startReplica()])));
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  await stage.stop();
});

type Document = {
  processors: Record<string, unknown>[];
  merchants: Record<string, unknown>;
  bins?: readonly unknown[];
  limits: {
    velocity: Record<string, { raisedFrom: number; blockedFrom: number }>;
    cascadeWithinMs: number;
    switchCalls: Record<string, number>;
    circuits: Record<string, number>;
  };
};
type Change = (document: Document) => void;
const alice = { madeBy: "alice", note: "a test" };

async function newest(settings: Settings): Promise<{ readonly version: number; readonly document: Document }> {
  const { version, document } = await settings.getSettings({}, within);
  return { version: version?.version ?? -1, document: JSON.parse(document) as Document };
}

async function put(
  settings: Settings,
  change: Change,
  o: { readonly dryRun?: boolean; readonly note?: string } = {},
): Promise<PutSettingsResponse> {
  const { version, document } = await newest(settings);
  change(document);
  return settings.putSettings({ document: JSON.stringify(document), baseVersion: version, ...alice, ...o }, within);
}

async function made(settings: Settings, change: Change): Promise<number> {
  const { result } = await put(settings, change);
  if (result.case !== "made") throw new Error(JSON.stringify(result));
  return result.value.version;
}

/** Waits until both replicas say that they work by it, and answers how long after its commit the later one did, by their own clocks. */
async function appliedEverywhere(version: number): Promise<number> {
  const applied = async () => (await second().settings.listAppliedSettings({}, within)).replicas;
  await untilTrue(async () => {
    const all = await applied();
    return all.length === 2 && all.every((one) => one.version === version);
  }, patienceMs);
  const [entry] = (await first().settings.listSettingsVersions({ limit: 1, beforeVersion: version + 1 }, within)).versions;
  return Math.max(...(await applied()).map(({ appliedAtMs }) => Number(appliedAtMs))) - Number(entry?.madeAtMs);
}

const blockEveryCard: Change = ({ limits }) => {
  limits.velocity["cardAttemptsPerHour"] = { raisedFrom: 1, blockedFrom: 1 };
};
const refusalOf = async ({ payments }: Replica) => (await payments.createPayment(createRequest(), within)).result?.refusal?.code ?? "";
const gauge = (text: string, name: string) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(text)?.[1]);

describe("a house that has decided nothing", () => {
  test("works by what is built in, on every replica", async () => {
    expect(await newest(first().settings)).toEqual({
      version: 0,
      document: expect.objectContaining({
        processors: [{ name: "simpay", enabled: true, currencies: "any", networks: "any", cardCountries: "any" }],
      }),
    });
    await untilTrue(async () => (await first().settings.listAppliedSettings({}, within)).replicas.length === 2, patienceMs);
    expect(await first().settings.listAppliedSettings({}, within)).toMatchObject({
      newestVersion: 0,
      replicas: [
        { version: 0, unreadVersion: 0 },
        { version: 0, unreadVersion: 0 },
      ],
    });
    expect((await first().settings.listSettingsVersions({}, within)).versions).toEqual([]);
    expect(await refusalOf(second())).toBe("");
  });
});

describe("a new version", () => {
  test("decides about payments on every replica within 2 s, and one call takes it back as fast", async () => {
    const before = (await newest(first().settings)).version;
    const version = await made(first().settings, blockEveryCard);
    expect(await appliedEverywhere(version)).toBeLessThan(appliedWithinMs);
    expect([await refusalOf(first()), await refusalOf(second())]).toEqual(["card_declined", "card_declined"]);
    const { result } = await second().settings.rollBackSettings({ version: before, madeBy: "bob", note: "too strict" }, within);
    expect(result).toMatchObject({ case: "made", value: { version: version + 1 } });
    expect(await appliedEverywhere(version + 1)).toBeLessThan(appliedWithinMs);
    expect([await refusalOf(first()), await refusalOf(second())]).toEqual(["", ""]);
    expect(gauge(await first().process.scrape(), "switch_settings_version")).toBe(version + 1);
  });

  test("is on record with who made it, when, why, and what changed; so is a way back", async () => {
    const { versions } = await second().settings.listSettingsVersions({ limit: 2 }, within);
    const change = { path: "limits.velocity.cardAttemptsPerHour.blockedFrom", before: "30", after: "1" };
    expect(versions).toMatchObject([
      { version: 2, madeBy: "insecure:bob", note: "too strict", rolledBackTo: 0, changes: { count: 2 } },
      {
        version: 1,
        madeBy: "insecure:alice",
        note: "a test",
        changes: { count: 2, changes: expect.arrayContaining([expect.objectContaining(change)]) },
      },
    ]);
    for (const { madeAtMs } of versions) expect(Math.abs(Number(madeAtMs) - Date.now())).toBeLessThan(600_000);
    expect(versions[1]?.rolledBackTo).toBeUndefined();
    expect((await first().settings.diffSettings({ fromVersion: 0, toVersion: 2 }, within)).changes?.count).toBe(0);
    const old = await first().settings.getSettings({ version: 1 }, within);
    expect((JSON.parse(old.document) as Document).limits.velocity["cardAttemptsPerHour"]).toEqual({ raisedFrom: 1, blockedFrom: 1 });
    await expect(first().settings.getSettings({ version: 99 }, within)).rejects.toMatchObject({
      code: "parameter_invalid",
      param: "version",
    });
  });

  test("is made by one of many who put at the same moment; the others are told", async () => {
    const { version, document } = await newest(first().settings);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => {
        const mine = { ...document, limits: { ...document.limits, cascadeWithinMs: 1_000 + index } };
        const { settings } = index % 2 === 0 ? first() : second();
        return settings.putSettings({ document: JSON.stringify(mine), baseVersion: version, ...alice }, within);
      }),
    );
    const cases = answers.map(({ result }) => result.case);
    expect(cases.toSorted()).toEqual([...Array<string>(9).fill("conflict"), "made"]);
    const { versions } = await first().settings.listSettingsVersions({ beforeVersion: version + 10 }, within);
    expect(versions.map((one) => one.version)).toEqual(Array.from({ length: version + 1 }, (_, index) => version + 1 - index));
    await appliedEverywhere(version + 1);
  });
});

describe("a processor that is taken out, and a rule that is made", () => {
  test("hold for the next payment on every replica, whose decision names the version; one call takes both back", async () => {
    const before = (await newest(first().settings)).version;
    const version = await made(first().settings, (document) => {
      const [simpay] = document.processors;
      document.processors = [{ ...simpay, enabled: false }, { name: "third" }, { name: "other" }];
      document.merchants["default"] = { strategy: { kind: "listed" }, rules: { priority: ["simpay", "other"] } };
    });
    expect(await appliedEverywhere(version)).toBeLessThan(appliedWithinMs);
    for (const replica of replicas) {
      const request = createRequest();
      const { result } = await replica.payments.createPayment(request, within);
      const paymentId = result?.payment?.id ?? "";
      expect(result?.payment?.processorResponse?.connector).toBe("other");
      const { decisions } = await replica.payments.getPaymentRouting({ caller: request.caller, paymentId }, within);
      expect(decisions).toMatchObject([{ rulesVersion: version, rulePath: "rules" }]);
    }
    const { result } = await second().settings.rollBackSettings({ version: before, madeBy: "bob", note: "" }, within);
    await appliedEverywhere(result.case === "made" ? result.value.version : 0);
    for (const { payments } of replicas) {
      const answer = await payments.createPayment(createRequest(), within);
      expect(answer.result?.payment?.processorResponse?.connector).toBe("simpay");
    }
  });
});

describe("how much may be in flight, and when a processor is left alone", () => {
  test("hold for the next call on every replica, within 2 s; one call takes both back", async () => {
    const before = (await newest(first().settings)).version;
    const version = await made(second().settings, ({ limits }) => {
      limits.switchCalls["inFlightMax"] = 1;
      limits.switchCalls["retryAfterMs"] = 7_000;
      limits.circuits["resultsMin"] = 2;
    });
    expect(await appliedEverywhere(version)).toBeLessThan(appliedWithinMs);
    for (const { payments } of replicas) {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      let asked = 0;
      stage.processor.behave = async () => {
        asked += 1;
        await released;
        return { told: outcomes.notSent };
      };
      const held = payments.createPayment(createRequest(), within);
      await untilTrue(() => asked === 1, patienceMs);
      await expect(payments.createPayment(createRequest(), within)).rejects.toMatchObject({
        ...{ code: "overloaded", work: "not_done", retryAfterMs: 7_000 },
      });
      release();
      // Not sent twice: after so few results nothing was judged before.
      for (const answer of [await held, await payments.createPayment(createRequest(), within)])
        expect(answer.result?.refusal?.code).toBe("processor_unavailable");
      expect((await payments.createPayment(createRequest(), within)).result?.refusal?.code).toBe("processor_unavailable");
      expect(asked).toBe(2);
    }
    stage.processor.reset();
    const { result } = await first().settings.rollBackSettings({ version: before, ...alice }, within);
    await appliedEverywhere(result.case === "made" ? result.value.version : 0);
    for (const { payments } of replicas) {
      const answers = await Promise.all([1, 2, 3].map(() => payments.createPayment(createRequest(), within)));
      expect(answers.map((answer) => answer.result?.refusal?.code)).toEqual([undefined, undefined, undefined]);
    }
  });
});

describe("where a card is from, and what a merchant needs", () => {
  const token = "tok_other";
  /** Cheap at home, dear abroad: 30 against 150 basis points beside 10. */
  const passedOn = { rateBps: 10, fixedMinor: { EUR: 0 }, interchange: sampleInterchange };
  const blended = { rateBps: 100, fixedMinor: { EUR: 0 }, interchange: "blended" };

  async function candidatesOf(bin: string, at: Replica) {
    stage.vault.lives.set(token, { createdAtMs: 1n, bin, funding: "" });
    const request = createRequest({ amount: 10_000n, currency: "EUR", paymentMethod: { type: "card", token } });
    const { result } = await at.payments.createPayment(request, within);
    const { decisions } = await at.payments.getPaymentRouting({ caller: request.caller, paymentId: result?.payment?.id ?? "" }, within);
    const candidates = required(decisions[0], "a decision").candidates.map(({ processor, reasons, fee }) => [processor, reasons, fee]);
    return { code: result?.refusal?.code ?? "", took: result?.payment?.processorResponse?.connector, candidates };
  }

  test("the issuer ranges decide about countries, kinds and prices; needs about abilities; and the decision shows it", async () => {
    const before = (await newest(first().settings)).version;
    const version = await made(first().settings, (document) => {
      document.processors = [
        { name: "simpay", cardCountries: ["DE"], fees: blended },
        { name: "other", fees: passedOn },
        { name: "third", fees: blended },
      ];
      document.merchants["default"] = { country: "FR", strategy: { kind: "cost" } };
      document.bins = [
        { prefix: "424242", country: "FR", funding: "credit" },
        { prefix: "42424299", country: "DE", funding: "debit" },
      ];
    });
    await appliedEverywhere(version);
    expect(await candidatesOf("42424242", second())).toEqual({
      code: "",
      took: "other",
      candidates: [
        ["other", ["by_fee"], 40n],
        ["third", ["by_fee"], 100n],
        ["simpay", ["country_not_supported"], undefined],
      ],
    });
    // The longest prefix: from Germany, a debit card, and within the EEA.
    expect((await candidatesOf("42424299", first())).candidates).toEqual([
      ["other", ["by_fee"], 30n],
      ["simpay", ["by_fee"], 100n],
      ["third", ["by_fee"], 100n],
    ]);
    // Nobody knows: the dearest class, and only who takes cards from anywhere.
    expect((await candidatesOf("51000000", second())).candidates).toEqual([
      ["third", ["by_fee"], 100n],
      ["other", ["by_fee"], 160n],
      ["simpay", ["country_not_supported"], undefined],
    ]);
    const needing = await made(second().settings, ({ merchants }) => {
      merchants["default"] = { country: "FR", strategy: { kind: "cost" }, needs: ["multiple_captures"] };
    });
    await appliedEverywhere(needing);
    expect(await candidatesOf("42424299", first())).toEqual({
      code: "",
      took: "other",
      candidates: [
        ["other", ["by_fee"], 30n],
        ["simpay", ["capability_missing"], undefined],
        ["third", ["capability_missing"], undefined],
      ],
    });
    const { result } = await second().settings.rollBackSettings({ version: before, ...alice }, within);
    await appliedEverywhere(result.case === "made" ? result.value.version : 0);
  });
});

describe("a merchant of its own", () => {
  test("goes by its strategy, rules and needs on every replica, and all others by the default", async () => {
    const before = (await newest(first().settings)).version;
    const [cheap, ruled] = [newWireCaller(), newWireCaller()];
    const blended = (rateBps: number) => ({ rateBps, fixedMinor: { EUR: 0 }, interchange: "blended" });
    const version = await made(second().settings, (document) => {
      document.processors = [
        { name: "simpay", fees: blended(200) },
        { name: "other", fees: blended(50) },
        { name: "third", fees: blended(100) },
      ];
      document.merchants["default"] = { strategy: { kind: "listed" } };
      document.merchants[cheap.merchantId] = { strategy: { kind: "cost" } };
      document.merchants[ruled.merchantId] = { strategy: { kind: "cost" }, rules: { priority: ["third"], others: "never" } };
    });
    await appliedEverywhere(version);
    for (const { payments } of replicas) {
      const tookOf = async (caller: typeof cheap) =>
        (await payments.createPayment({ ...createRequest(), caller }, within)).result?.payment?.processorResponse?.connector;
      expect([await tookOf(newWireCaller()), await tookOf(cheap), await tookOf(ruled)]).toEqual(["simpay", "other", "third"]);
    }
    const { result } = await first().settings.rollBackSettings({ version: before, ...alice }, within);
    await appliedEverywhere(result.case === "made" ? result.value.version : 0);
  });
});

describe("where secrets are", () => {
  test("the connectors are told with every version, of processors that are not enabled too; and told otherwise by a way back", async () => {
    const before = (await newest(first().settings)).version;
    const version = await made(first().settings, (document) => {
      const [simpay] = document.processors;
      document.processors = [
        { ...simpay, secrets: { api: "file:/run/secrets/simpay", webhook: "env:FLORIN_SECRET_HOOK" } },
        { name: "other", enabled: false, secrets: { api: "env:FLORIN_SECRET_OTHER" } },
      ];
    });
    // Far sooner than they are told again by the clock.
    await untilTrue(() => stage.processor.secrets.has(version), 2 * appliedWithinMs);
    expect(stage.processor.secrets.get(version)).toEqual([
      "simpay.api=file:/run/secrets/simpay",
      "simpay.webhook=env:FLORIN_SECRET_HOOK",
      "other.api=env:FLORIN_SECRET_OTHER",
    ]);
    await second().settings.rollBackSettings({ version: before, ...alice }, within);
    await untilTrue(() => stage.processor.secrets.has(version + 1), 2 * appliedWithinMs);
    expect(stage.processor.secrets.get(version + 1)).toEqual([]);
    await appliedEverywhere(version + 1);
  });
});

describe("what does not hold together", () => {
  test("is refused whole, with every path, and changes nothing", async () => {
    const { version } = await newest(first().settings);
    const { result } = await put(first().settings, (document) => {
      document.processors.push({ name: "nobody" }, { name: "simpay", currencies: ["EURO"] });
      document.limits.cascadeWithinMs = 1;
    });
    const paths = result.case === "problems" ? result.value.problems.map(({ path }) => path) : [];
    expect(paths.toSorted()).toEqual(["limits.cascadeWithinMs", "processors[2].currencies", "processors[2].name"]);
    const unknown = await put(first().settings, ({ processors }) => void processors.push({ name: "nobody" }));
    expect(unknown.result).toMatchObject({ case: "problems", value: { problems: [{ path: "processors[1].name" }] } });
    expect((await newest(second().settings)).version).toBe(version);
  });

  test("is told by a dry run, which makes nothing; a good one says what it would change", async () => {
    const { version } = await newest(first().settings);
    const change: Change = ({ limits }) => {
      limits.cascadeWithinMs = 7_777;
    };
    expect((await put(first().settings, change, { dryRun: true })).result).toMatchObject({
      case: "made",
      value: { version: version + 1, changes: { changes: [{ path: "limits.cascadeWithinMs", after: "7777" }] } },
    });
    expect((await newest(first().settings)).version).toBe(version);
  });

  test.each([
    ["a note with a card number", { note: `like ${testCards.visa.number}` }, "note"],
    ["a note with a NUL", { note: "a\0b" }, "note"],
    ["a note that a terminal would obey", { note: "\u001b[2J" }, "note"],
    ["a note without an end", { note: "x".repeat(501) }, "note"],
    ["nobody", { madeBy: "" }, "made_by"],
    ["a card number for a person", { madeBy: testCards.visa.number }, "made_by"],
  ])("%s is refused and nowhere kept", async (_name, change, param) => {
    const { version, document } = await newest(first().settings);
    const request = { document: JSON.stringify(document), baseVersion: version, ...alice, ...change };
    await expect(first().settings.putSettings(request, within)).rejects.toMatchObject({ code: "parameter_invalid", param });
    await expect(first().settings.rollBackSettings({ version: 0, ...alice, ...change }, within)).rejects.toMatchObject({ param });
    expect((await newest(first().settings)).version).toBe(version);
  });
});

describe("a database that is away", () => {
  test("leaves the last good settings in force, and they are caught up with", async () => {
    const { version } = await newest(first().settings);
    await appliedEverywhere(version);
    await owner`REVOKE SELECT ON settings_versions FROM florin_switch_app`;
    await expect(made(second().settings, () => {})).rejects.toThrow();
    await owner`
      INSERT INTO settings_versions (version, document, made_by, note)
      SELECT ${version + 1}, document, 'owner', '' FROM settings_versions WHERE version = ${version}`;
    // Each replica has looked in vain at least once.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    for (const { process } of replicas) expect(gauge(await process.scrape(), "switch_settings_version")).toBe(version);
    expect(await refusalOf(first())).toBe("");
    await owner`GRANT SELECT ON settings_versions TO florin_switch_app`;
    await appliedEverywhere(version + 1);
  });

  test.skipIf(process.env["FLORIN_TEST_DATABASE_URL"])("and dies is followed again when it is back", async () => {
    const { version } = await newest(first().settings);
    await appliedEverywhere(version);
    let isAway = true;
    const crash = required(stage.crashDatabase, "our own server")().finally(() => {
      isAway = false;
    });
    while (isAway) for (const { process } of replicas) expect(gauge(await process.scrape(), "switch_settings_version")).toBe(version);
    await crash;
    await untilTrue(
      () =>
        newest(first().settings).then(
          () => true,
          () => false,
        ),
      patienceMs,
    );
    const next = await made(first().settings, ({ limits }) => {
      limits.cascadeWithinMs = 4_321;
    });
    await appliedEverywhere(next);
  });
});

describe("a version of a newer release", () => {
  test("leaves the last good one in force and is told; who starts then takes the newest it can read; a way back ends it", async () => {
    const { version } = await newest(first().settings);
    const newer = version + 1;
    await owner`
      INSERT INTO settings_versions (version, document, made_by, note)
      SELECT ${newer}, document || '{"fromTheFuture": 1}', 'newer', '' FROM settings_versions WHERE version = ${version}`;
    const states = async () =>
      (await first().settings.listAppliedSettings({}, within)).replicas.map((one) => [one.version, one.unreadVersion]);
    await untilTrue(async () => (await states()).every(([, unread]) => unread === newer), patienceMs);
    expect(await states()).toEqual([
      [version, newer],
      [version, newer],
    ]);
    const text = await second().process.scrape();
    expect([gauge(text, "switch_settings_version"), gauge(text, "switch_settings_unread_version")]).toEqual([version, newer]);
    const third = await startReplica();
    await untilTrue(async () => (await states()).length === 3, patienceMs);
    expect((await states())[2]).toEqual([version, newer]);
    await third.process.stop();
    // It has taken itself off the list, long before anybody would take its silence for an end.
    expect((await states()).length).toBe(2);
    await first().settings.rollBackSettings({ version, ...alice }, within);
    expect(await appliedEverywhere(newer + 1)).toBeLessThan(appliedWithinMs);
    expect(await states()).toEqual([
      [newer + 1, 0],
      [newer + 1, 0],
    ]);
  });
});
