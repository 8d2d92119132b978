import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Admission, type AdmissionSettings, createAdmission, type Place, type Refusal } from "./admission.ts";

type Class = "read" | "capture" | "refund" | "authorize";
const order: readonly Class[] = ["read", "capture", "refund", "authorize"];

const settings: AdmissionSettings<Class> = {
  inFlightMax: 100,
  classes: {
    read: { ceiling: 0.6, ownMax: 0.6 },
    capture: { ceiling: 0.75, ownMax: 0.75 },
    refund: { ceiling: 0.9, ownMax: 0.9 },
    authorize: { ceiling: 1, ownMax: 1 },
  },
  // Fairness out of the way, except where it is the question.
  shareOfFree: 1_000,
};

const isPlace = (answer: Place<Class> | Refusal): answer is Place<Class> => typeof answer !== "string";

/** As many owners as calls, until one is refused. */
function fill(admission: Admission<Class>, kind: Class, owner?: string): { places: Place<Class>[]; refusal: Refusal } {
  const places: Place<Class>[] = [];
  for (;;) {
    const answer = admission.enter(kind, owner ?? `owner ${admission.inFlight}`);
    if (!isPlace(answer)) return { places, refusal: answer };
    places.push(answer);
  }
}

describe("order", () => {
  test("as more is in flight, reads are sent away first, then captures, then refunds, then authorizations", () => {
    const admission = createAdmission(settings);
    const firstRefusedAt: Partial<Record<Class, number>> = {};
    for (let inFlight = 0; inFlight <= 100; inFlight += 1) {
      for (const kind of order) if (admission.refusalOf(kind, "new") !== undefined) firstRefusedAt[kind] ??= inFlight;
      admission.enter("authorize", `owner ${inFlight}`);
    }
    expect(firstRefusedAt).toEqual({ read: 60, capture: 75, refund: 90, authorize: 100 });
  });

  test("they come back in the opposite order", () => {
    const admission = createAdmission(settings);
    const { places } = fill(admission, "authorize");
    const firstAdmittedAt: Partial<Record<Class, number>> = {};
    for (const place of places) {
      admission.leave(place);
      for (const kind of order) if (admission.refusalOf(kind, "new") === undefined) firstAdmittedAt[kind] ??= admission.inFlight;
    }
    expect(firstAdmittedAt).toEqual({ authorize: 99, refund: 89, capture: 74, read: 59 });
  });
});

test("a limit that comes down sends new ones away by the same shares, and takes nothing from those inside", () => {
  let limit = 100;
  const admission = createAdmission({ ...settings, limit: () => limit });
  const { places } = fill(admission, "authorize");
  expect(places).toHaveLength(100);
  limit = 40;
  for (const place of places.splice(0, 65)) admission.leave(place);
  expect(order.map((kind) => admission.refusalOf(kind, "new"))).toEqual(["order", "order", undefined, undefined]);
  expect(admission.inFlight).toBe(35);
});

describe("bulkheads", () => {
  const classes = { ...settings.classes, read: { ceiling: 0.6, ownMax: 0.2 }, refund: { ceiling: 0.9, ownMax: 0.3 } };

  test("a flood of one class leaves the places of the others", () => {
    const admission = createAdmission({ ...settings, classes });
    expect(fill(admission, "refund")).toMatchObject({ refusal: "bulkhead", places: { length: 30 } });
    expect(fill(admission, "read")).toMatchObject({ refusal: "bulkhead", places: { length: 20 } });
    expect(fill(admission, "authorize")).toMatchObject({ refusal: "order", places: { length: 50 } });
  });
});

describe("fairness", () => {
  test.each([
    [1, 50],
    [2, 33],
    [4, 20],
  ])("%i owners that flood hold at most %i places each, and whoever comes new finds room", (count, most) => {
    const admission = createAdmission({ ...settings, shareOfFree: 1 });
    const held = Array.from({ length: count }, () => 0);
    for (let call = 0; call < 1_000; call += 1) {
      const noisy = call % count;
      if (isPlace(admission.enter("authorize", `noisy ${noisy}`))) held[noisy] = (held[noisy] ?? 0) + 1;
    }
    for (const places of held) expect(Math.abs(places - most)).toBeLessThanOrEqual(1);
    expect(admission.refusalOf("authorize", "noisy 0")).toBe("fairness");
    expect(admission.refusalOf("authorize", "quiet")).toBeUndefined();
  });

  test("nothing is taken from anybody while there is room", () => {
    const admission = createAdmission({ ...settings, shareOfFree: 1 });
    for (let owner = 0; owner < 30; owner += 1) admission.enter("authorize", `small ${owner}`);
    for (let call = 0; call < 30; call += 1) expect(isPlace(admission.enter("authorize", "large"))).toBe(true);
  });

  test("twenty times its quota from one owner for long, and the others are never sent away", () => {
    const admission = createAdmission({ ...settings, shareOfFree: 1 });
    const held: Place<Class>[] = [];
    let noisyRefused = 0;
    for (let turn = 0; turn < 2_000; turn += 1) {
      // Each call stays for ten turns; of the quiet ones, one call begins each turn.
      for (const place of held.splice(0, Math.max(0, held.length - 60))) admission.leave(place);
      for (let call = 0; call < 20; call += 1) {
        const answer = admission.enter("authorize", "noisy");
        if (isPlace(answer)) held.push(answer);
        else noisyRefused += 1;
      }
      const quiet = admission.enter("authorize", `quiet ${turn % 7}`);
      expect(isPlace(quiet)).toBe(true);
      if (isPlace(quiet)) held.push(quiet);
    }
    expect(noisyRefused).toBeGreaterThan(0);
  });
});

describe("for any coming and going", () => {
  const move = fc.record({ kind: fc.constantFrom(...order), owner: fc.nat(12), leaves: fc.boolean(), which: fc.nat(100) });

  test("the bounds hold, the counts are right, and nobody is remembered who holds nothing", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 600 }), fc.constantFrom(0.25, 1, 4), (moves, shareOfFree) => {
        const classes = { ...settings.classes, capture: { ceiling: 0.75, ownMax: 0.1 } };
        const admission = createAdmission({ ...settings, classes, shareOfFree });
        const held: Place<Class>[] = [];
        for (const { kind, owner, leaves, which } of moves) {
          const before = admission.inFlight;
          if (leaves && held.length > 0) {
            const [left] = held.splice(which % held.length, 1);
            if (left !== undefined) admission.leave(left);
          } else {
            const predicted = admission.refusalOf(kind, `${owner}`);
            const answer = admission.enter(kind, `${owner}`);
            expect(isPlace(answer) ? undefined : answer).toBe(predicted);
            if (isPlace(answer)) {
              held.push(answer);
              expect(before).toBeLessThan(classes[kind].ceiling * settings.inFlightMax);
            }
          }
          expect(admission.inFlight).toBe(held.length);
          for (const one of order) {
            const own = held.filter((place) => place.class === one).length;
            expect(admission.inFlightOf(one)).toBe(own);
            expect(own).toBeLessThanOrEqual(classes[one].ownMax * settings.inFlightMax);
          }
          expect(admission.owners).toBe(new Set(held.map((place) => place.owner)).size);
        }
        for (const place of held) admission.leave(place);
        expect([admission.inFlight, admission.owners]).toEqual([0, 0]);
      }),
    );
  });
});

test("a place that is left twice is a bug, and nothing is counted twice", () => {
  const admission = createAdmission(settings);
  const place = admission.enter("read", "one");
  if (!isPlace(place)) throw new Error("an empty house has room");
  admission.leave(place);
  expect(() => admission.leave(place)).toThrow("a place is left once");
  expect(admission.inFlight).toBe(0);
});

test("other settings hold for who comes next; nobody who is in is sent away", () => {
  const admission = createAdmission(settings);
  const { places } = fill(admission, "authorize");
  admission.adopt({ ...settings, inFlightMax: 40 });
  for (const place of places.splice(0, 60)) {
    expect(admission.refusalOf("authorize", "new")).toBe("order");
    admission.leave(place);
  }
  expect(admission.enter("authorize", "new")).toBe("order");
  admission.leave(places.pop() as Place<Class>);
  expect(isPlace(admission.enter("authorize", "new"))).toBe(true);
  expect(admission.inFlight).toBe(40);
  admission.adopt({ ...settings, classes: { ...settings.classes, read: { ceiling: 0.6, ownMax: 0 } } });
  expect([isPlace(admission.enter("read", "new")), admission.enter("read", "new")]).toEqual([true, "bulkhead"]);
  expect(() => admission.adopt({ ...settings, inFlightMax: 0 })).toThrow(/inFlightMax/);
});
