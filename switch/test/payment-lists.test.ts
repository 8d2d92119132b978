/** Lists over a real log: what is on which page, and what PostgreSQL read for it. */
import { randomBytes, randomUUID } from "node:crypto";
import { PaymentService, PaymentStatus, Mode as WireMode } from "@florin/gen/payments/v1/payments";
import { idTimeMs, makeId, required } from "@florin/kernel";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { connectUnary, startRpcServer } from "@florin/runtime/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createPayment,
  draft,
  type Mode,
  type Payment,
  recordAuthorization,
  requestAuthorization,
  type Status,
  type Transition,
} from "../src/domain/payment/index.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleOrigin, sampleOutcomes } from "../src/domain/payment/samples.ts";
import { createBulkheads } from "../src/rpc/bulkheads.ts";
import { createPaymentService } from "../src/rpc/payment-service.ts";
import { examinedMax } from "../src/store/list-statement.ts";
import { createPaymentLists, type ListQuery, type PaymentLists } from "../src/store/payment-lists.ts";
import { countReading } from "./log-reading.ts";
import { openBulkheads } from "./rpc-stage.ts";
import { logger, newCaller, openStage, type Stage, telemetry } from "./stage.ts";

let stage: Stage;
/** One connection, so that a statement comes to the plan that it keeps. */
let sql: Sql;
let lists: PaymentLists;

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
  sql = connectPostgres({ url: stage.appUrl, name: "lists", connectionsMax: 1 });
  lists = createPaymentLists(sql);
});
afterAll(async () => {
  await sql.end({ timeout: 5 });
  await stage.stop();
});

const newMerchant = () => newCaller().merchantId;
/** Later payments come later in milliseconds, so that a list has one right order. All in the past, where the log has its months. */
let nextMs = Date.now() - 7 * 24 * 3_600_000;

type Reached = "created" | "processing" | "authorized" | "captured" | "declined";
type Made = { readonly merchantId: string; readonly mode: Mode; readonly merchantReference: string; readonly status: Reached };

/** The rows of a payment that has come to `status`. */
function rowsOf({ status, ...made }: Made): readonly Transition[] {
  const nowMs = nextMs++;
  const captureMode = status === "captured" ? "automatic" : "manual";
  const command = sampleCreate({ ...made, id: makeId("payment", nowMs, randomBytes(10)), captureMode });
  const context = { nowMs, origin: sampleOrigin };
  if (status === "created") return [createPayment(command, context)];
  const intent = appendedBy(requestAuthorization(draft(command, nowMs), sampleAttempt(makeId("attempt", nowMs, randomBytes(10))), context));
  return status === "processing" ? [intent] : [intent, outcomeOf(intent, status === "declined" ? "declined" : "approved")];
}

function outcomeOf({ payment, event }: Transition, answer: "approved" | "declined"): Transition {
  const outcome = { attemptId: event.operationId, outcome: sampleOutcomes[answer] };
  const context = { nowMs: payment.createdAtMs, origin: sampleOrigin, authorizationLifetimeMs: sampleLifetimeMs };
  return appendedBy(recordAuthorization(payment, outcome, context));
}

function appendedBy(decision: { readonly kind: string; readonly transition?: Transition }): Transition {
  return required(decision.transition, decision.kind);
}

/** Writes them and answers how each stands, oldest first. */
async function make(...wanted: readonly Made[]): Promise<readonly Payment[]> {
  const rows = wanted.map(rowsOf);
  for (const step of [0, 1]) await append(rows.flatMap((ofPayment) => ofPayment.slice(step, step + 1)));
  return rows.map((ofPayment) => required(ofPayment.at(-1), "a row").payment);
}

async function append(transitions: readonly Transition[]): Promise<void> {
  const claimOf = ({ payment }: Transition) => (payment.version === 1 ? { key: randomUUID(), requestHash: Buffer.alloc(32) } : undefined);
  const answers = await Promise.all(transitions.map((transition) => stage.parts.log.append(transition, claimOf(transition))));
  expect(answers.filter(({ kind }) => kind !== "appended")).toEqual([]);
}

const liveOf = (merchantId: string, status: Reached = "authorized", merchantReference = ""): Made => ({
  merchantId,
  mode: "live",
  merchantReference,
  status,
});
const allOf = (merchantId: string, changes: Partial<ListQuery> = {}): ListQuery => ({
  merchantId,
  mode: "live",
  limit: 100,
  cursor: "",
  ...changes,
});
const idsOf = (payments: readonly Payment[]) => payments.map(({ id }) => id);
const newestFirst = (payments: readonly Payment[]) => idsOf(payments).reverse();

/** Every page to the end, with what happens between two of them. */
async function pagesOf(query: ListQuery, between: (page: number) => Promise<unknown> = async () => {}): Promise<Payment[][]> {
  const pages: Payment[][] = [];
  let cursor = query.cursor;
  do {
    const page = await lists.list({ ...query, cursor });
    expect(page.nextCursor === "" || page.nextCursor !== cursor).toBe(true);
    pages.push([...page.payments]);
    cursor = page.nextCursor;
    if (cursor !== "") await between(pages.length);
  } while (cursor !== "");
  return pages;
}

describe("paging", () => {
  test("what was there at the first page comes exactly once, newest first, while others are made and change", async () => {
    const merchantId = newMerchant();
    const made = await make(...Array.from({ length: 57 }, () => liveOf(merchantId)));
    const pages = await pagesOf(allOf(merchantId, { limit: 10 }), async () => {
      await make(liveOf(merchantId), liveOf(merchantId, "declined"));
    });
    expect(pages.map(({ length }) => length)).toEqual([10, 10, 10, 10, 10, 7]);
    expect(idsOf(pages.flat())).toEqual(newestFirst(made));
  });

  test("who enters or leaves the list by status never moves who stays", async () => {
    const merchantId = newMerchant();
    const intents = Array.from({ length: 30 }, () => rowsOf(liveOf(merchantId, "processing"))[0] as Transition);
    await append(intents);
    const changing = intents.filter((_, index) => index % 3 === 0);
    const staying = intents.filter((_, index) => index % 3 !== 0).map(({ payment }) => payment);
    const pages = await pagesOf(allOf(merchantId, { limit: 4, status: "processing" }), async (page) => {
      const changes = changing.slice(-page * 2, changing.length - (page - 1) * 2);
      await append(changes.map((intent) => outcomeOf(intent, "approved")));
      await make(liveOf(merchantId, "processing"));
    });
    const seen = idsOf(pages.flat());
    expect(new Set(seen).size).toBe(seen.length);
    const stays = new Set(idsOf(staying));
    expect(seen.filter((id) => stays.has(id))).toEqual(newestFirst(staying));
    // Otherwise nothing left the list and the test shows nothing.
    expect(seen.length).toBeLessThan(intents.length);
  });

  test("a payment is on the list as soon as it is committed, and as it stands", async () => {
    const merchantId = newMerchant();
    const [payment] = await make(liveOf(merchantId, "captured"));
    const [listed] = (await lists.list(allOf(merchantId))).payments;
    expect(listed).toEqual(payment);
    expect((await lists.list(allOf(merchantId, { status: "processing" }))).payments).toEqual([]);
  });

  test("a list that ends with its page says so", async () => {
    const merchantId = newMerchant();
    await make(...Array.from({ length: 4 }, () => liveOf(merchantId)));
    const lengthsOf = async (limit: number) => (await pagesOf(allOf(merchantId, { limit }))).map(({ length }) => length);
    expect(await Promise.all([1, 3, 4, 5, 100].map(lengthsOf))).toEqual([[1, 1, 1, 1], [3, 1], [4], [4], [4]]);
    expect(await lists.list(allOf(newMerchant()))).toEqual({ payments: [], nextCursor: "" });
  });

  test("a cursor that no list made is refused", async () => {
    const merchantId = newMerchant();
    const payment = makeId("payment", nextMs, randomBytes(10));
    const texts = ["c1.", `c2.${payment}`, payment, `c1.${merchantId}`, `c1.${payment}0`, "c1.pay_' OR true"];
    for (const cursor of ["x", "%%%", ...texts.map((text) => Buffer.from(text).toString("base64url"))])
      await expect(lists.list(allOf(merchantId, { cursor })), cursor).rejects.toMatchObject({ code: "cursor_invalid", work: "not_done" });
  });
});

describe("filters", () => {
  const merchants = [newMerchant(), newMerchant()] as const;
  const modes = ["live", "test"] as const;
  const statuses: readonly Reached[] = ["created", "processing", "authorized", "captured", "declined"];
  const references = ["", "order-1", "order-2"];
  let made: readonly Payment[];

  beforeAll(async () => {
    const kinds = merchants.flatMap((merchantId) =>
      modes.flatMap((mode) =>
        statuses.flatMap((status) => references.map((merchantReference) => ({ merchantId, mode, status, merchantReference }))),
      ),
    );
    // Twice, so that each kind is there at two times; the order within a round is not the order of the kinds.
    const mixed = kinds.map((_, index) => required(kinds[(index * 7) % kinds.length], "a kind"));
    made = [...(await make(...mixed)), ...(await make(...mixed))];
  });

  /** What the list must be, said once more in the simplest way. */
  function expected({ merchantId, mode, status, merchantReference, createdFromMs = 0, createdToMs = Infinity }: ListQuery) {
    return newestFirst(
      made.filter(
        (payment) =>
          payment.merchantId === merchantId &&
          payment.mode === mode &&
          (status === undefined || payment.status === status) &&
          (merchantReference === undefined || payment.merchantReference === merchantReference) &&
          payment.createdAtMs >= createdFromMs &&
          payment.createdAtMs < createdToMs,
      ),
    );
  }

  /** Every subset of the four filters, for each merchant and mode. */
  function queries(): readonly ListQuery[] {
    const at = (share: number) => required(made[Math.floor(made.length * share)], "a payment").createdAtMs;
    const choices = <T>(...values: T[]) => [undefined, ...values];
    const all: ListQuery[] = [];
    for (const merchantId of merchants)
      for (const mode of modes)
        for (const status of choices<Status>("authorized", "declined", "voided"))
          for (const merchantReference of choices("order-1", "order-9"))
            for (const createdFromMs of choices(at(0.2)))
              for (const createdToMs of choices(at(0.7)))
                all.push({
                  ...allOf(merchantId, { mode }),
                  ...(status && { status }),
                  ...(merchantReference && { merchantReference }),
                  ...(createdFromMs && { createdFromMs }),
                  ...(createdToMs && { createdToMs }),
                });
    return all;
  }

  test.each([1, 7, 100])("alone and together give what they say, in pages of %i", async (limit) => {
    let found = 0;
    for (const query of queries()) {
      const pages = await pagesOf({ ...query, limit });
      expect(idsOf(pages.flat()), JSON.stringify(query)).toEqual(expected(query));
      found += pages.flat().length;
    }
    // Otherwise everything was empty and the comparison shows nothing.
    expect(found).toBeGreaterThan(500);
  });

  test("created from is included, created to is not", async () => {
    const { merchantId, mode, createdAtMs, id } = required(made[5], "a payment");
    const inRange = async (createdFromMs: number, createdToMs: number) =>
      idsOf((await lists.list(allOf(merchantId, { mode, createdFromMs, createdToMs }))).payments);
    expect(await inRange(createdAtMs, createdAtMs + 1)).toEqual([id]);
    expect(await inRange(createdAtMs - 1, createdAtMs)).not.toContain(id);
    expect(await inRange(createdAtMs + 1, createdAtMs)).toEqual([]);
    expect(idTimeMs(id)).toBe(createdAtMs);
  });

  test("times before and after all ids bound nothing", async () => {
    const [merchantId] = merchants;
    for (const bounds of [{ createdFromMs: -1 }, { createdToMs: Number.MAX_SAFE_INTEGER }])
      expect(idsOf((await pagesOf(allOf(merchantId, bounds))).flat())).toEqual(expected(allOf(merchantId)));
  });

  test("another merchant's cursor and the other mode's show nothing of theirs", async () => {
    const [mine, theirs] = merchants;
    for (const mode of modes) {
      const foreign = await lists.list(allOf(theirs, { mode: mode === "live" ? "test" : "live", limit: 2 }));
      const query = allOf(mine, { mode, cursor: foreign.nextCursor });
      const last = required(foreign.payments.at(-1), "a payment");
      const below = newestFirst(made.filter((payment) => payment.createdAtMs < last.createdAtMs));
      expect(idsOf((await pagesOf(query)).flat())).toEqual(expected(allOf(mine, { mode })).filter((id) => below.includes(id)));
    }
  });
});

describe("a long history", () => {
  const beyond = 400;
  const merchantId = newMerchant();
  let made: readonly Payment[];

  beforeAll(async () => {
    // The oldest two are the only ones declined, so a search from the newest has to pass all others.
    made = await make(
      ...Array.from({ length: examinedMax + beyond }, (_, index) =>
        liveOf(merchantId, index < 2 ? "declined" : "authorized", "one-for-all"),
      ),
    );
    const owner = connectPostgres({ url: stage.ownerUrl, name: "owner", connectionsMax: 1 });
    // Plans for unknown bounds are tempting only when there are statistics.
    await owner.unsafe("VACUUM (ANALYZE) payment_events");
    await owner.end({ timeout: 5 });
  }, 60_000);

  const day = 24 * 3_600_000;
  const limit = 20;
  const filters: readonly (readonly [string, Partial<ListQuery>, number])[] = [
    ["none", {}, limit + 1],
    ["a common status", { status: "authorized" }, limit + 1],
    ["a rare status", { status: "declined" }, examinedMax],
    ["an absent status", { status: "voided" }, examinedMax],
    ["a reference", { merchantReference: "one-for-all" }, limit + 1],
    ["an absent reference", { merchantReference: "none-has-it" }, 0],
    ["a reference and a rare status", { merchantReference: "one-for-all", status: "declined" }, examinedMax],
    ["a reference that only the other mode has", { mode: "test", merchantReference: "one-for-all" }, examinedMax],
    ["a range", { createdFromMs: nextMs - day, createdToMs: nextMs + day }, limit + 1],
    ["a range and a rare status", { createdFromMs: nextMs - day, createdToMs: nextMs + day, status: "declined" }, examinedMax],
    ["the other mode", { mode: "test" }, 0],
  ];

  test.each(filters)(
    "filter by %s: no page reads more than it may, with a plan for known and for unknown bounds",
    async (_, filter, read) => {
      const index = filter.merchantReference === undefined ? "payment_events_first_by_merchant" : "payment_events_first_by_reference";
      const query = allOf(merchantId, { limit, ...filter });
      for (const plan of ["force_custom_plan", "force_generic_plan"]) {
        await sql.unsafe(`SET plan_cache_mode = ${plan}`);
        // The first run plans, and looks at the ends of indexes for it.
        await lists.list(query);
        await lists.list(query);
        const reading = await countReading(sql, () => lists.list(query));
        expect(reading.unindexed).toBe(0);
        const { [index]: walked = 0, payment_events_pkey: looked = 0, ...others } = reading.byIndex;
        expect(others).toEqual({});
        expect(walked).toBe(read);
        // Planning for known bounds looks at the ends of the months' indexes.
        expect(looked).toBeLessThanOrEqual(read + 10);
      }
      await sql.unsafe("RESET plan_cache_mode");
    },
  );

  test("a rare status is found behind an empty page, and the end is said only at the end", async () => {
    const pages = await pagesOf(allOf(merchantId, { limit: 1, status: "declined" }));
    expect(pages.map(idsOf)).toEqual([[], [made[1]?.id], [made[0]?.id]]);
  });

  test("a live payment is found behind a test history with the same reference", async () => {
    const merchant = newMerchant();
    const [live] = await make(liveOf(merchant, "authorized", "load-test"));
    const test: Made = { ...liveOf(merchant, "processing", "load-test"), mode: "test" };
    await make(...Array.from({ length: examinedMax }, () => test));
    const pages = await pagesOf(allOf(merchant, { merchantReference: "load-test" }));
    expect(pages.map(idsOf)).toEqual([[], [live?.id]]);
  });

  /** Places from the newest, 1 is the newest of `examinedMax` + 5; the search stops after place `examinedMax`. */
  const border = examinedMax;
  test.each([
    ["the last one examined is the last of the page", [border - 1, border], [2, 0]],
    ["the last one examined is one too many", [border - 2, border - 1, border], [2, 1]],
    ["the first one not examined is one too many", [border - 1, border, border + 1], [2, 1]],
    ["the last one examined begins the page", [border, border + 1], [1, 1]],
    ["the first one not examined is the first match", [border + 1, border + 2], [0, 2]],
  ])("where the search stops nobody is lost or repeated: %s", async (_, places, lengths) => {
    const merchant = newMerchant();
    const total = border + 5;
    const payments = await make(
      ...Array.from({ length: total }, (_unused, index) => liveOf(merchant, places.includes(total - index) ? "created" : "processing")),
    );
    const pages = await pagesOf(allOf(merchant, { limit: 2, status: "created" }));
    expect(idsOf(pages.flat())).toEqual(places.map((place) => payments[total - place]?.id));
    expect(pages.map(({ length }) => length)).toEqual(lengths);
  });

  test("a history of exactly the bound ends", async () => {
    const merchant = newMerchant();
    await make(...Array.from({ length: examinedMax }, () => liveOf(merchant, "processing")));
    const pages = await pagesOf(allOf(merchant, { status: "declined" }));
    expect(pages.map(({ length }) => length)).toEqual([0, 0]);
  });
});

describe("over RPC", () => {
  async function openService() {
    const tls = { kind: "off" } as const;
    const bulkheads = createBulkheads({ settings: () => openBulkheads, metrics: telemetry.metrics });
    const service = createPaymentService({ parts: stage.parts, lists, bulkheads, tracer: telemetry.tracer });
    const server = await startRpcServer({
      host: "127.0.0.1",
      port: 0,
      tls,
      services: [service],
      policy: { edge: ["florin.payments.v1.PaymentService/*"] },
      allowInsecure: true,
      logger,
    });
    const client = connectUnary(PaymentService, { address: `127.0.0.1:${server.port}`, tls, logger });
    const close = async () => {
      await client.close();
      await server.drain(1_000);
    };
    return { client, close };
  }

  test("a page has 20 payments unless asked otherwise, 100 at most, and more is refused", async () => {
    const { client, close } = await openService();
    const { merchantId, origin } = newCaller("live");
    const caller = { merchantId, mode: WireMode.LIVE, actor: origin.actor, requestId: origin.requestId };
    await make(...Array.from({ length: 103 }, () => liveOf(merchantId)));
    const list = (limit: number, status: PaymentStatus = PaymentStatus.UNSPECIFIED) =>
      client.listPayments({ caller, limit, status }, { timeoutMs: 5_000 });
    const lengths = await Promise.all([0, 1, 100].map(async (limit) => (await list(limit)).payments.length));
    expect(lengths).toEqual([20, 1, 100]);
    await expect(list(101)).rejects.toMatchObject({ code: "parameter_invalid", param: "limit" });
    await expect(list(20, 99 as PaymentStatus)).rejects.toMatchObject({ code: "parameter_invalid", param: "status" });
    await close();
  });
});

test("a page without room, or with too much, is a bug of the caller", async () => {
  for (const limit of [0, -1, 101, 1.5])
    await expect(lists.list(allOf(newMerchant(), { limit })), String(limit)).rejects.toThrow("1 to 100");
});
