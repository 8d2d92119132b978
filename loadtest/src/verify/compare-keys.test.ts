import { expect, test } from "vitest";
import type { AcquirerPayment, LogPayment } from "./books.ts";
import { compareKeys, compareLedgerSums, type KeyTold } from "./compare-keys.ts";

const approved: KeyTold = { operation: "authorize", paymentId: "pay_1", differentYes: 1, isYes: true, isNo: false };
const refused: KeyTold = { ...approved, differentYes: 0, isYes: false, isNo: true };
const held = { authorized: 1_000, captured: 0, refunded: 0, released: 0 };
const inLog: LogPayment = { ...held, status: "authorized", isOpen: false, isOfRun: true, reference: "key-1" };
const charged: AcquirerPayment = { ...held, charges: 1 };

type World = {
  told?: KeyTold;
  log?: Record<string, LogPayment>;
  acquirer?: Record<string, AcquirerPayment>;
  keys?: Record<string, string>;
};

function failing({ told = approved, log = { pay_1: inLog }, acquirer = { pay_1: charged }, keys = { "key-1": "pay_1" } }: World = {}) {
  const books = { log: new Map(Object.entries(log)), acquirer: new Map(Object.entries(acquirer)), ledger: new Map() };
  return compareKeys(new Map([["key-1", told]]), { books, keys: new Map(Object.entries(keys)) })
    .filter(({ differences }) => differences > 0)
    .map(({ figure, name }) => `${figure}: ${name}`);
}

test("a key with one answer, one payment and one charge passes", () => {
  expect(failing()).toEqual([]);
});

const released = { ...inLog, released: 1_000, status: "voided" };

test.each<[string, World, readonly string[]]>([
  ["a key without a final answer", { told: { ...approved, isYes: false } }, ["open: no key is locked"]],
  ["a key answered yes and no", { told: { ...approved, isNo: true }, acquirer: {} }, ["doubled: one key, one answer"]],
  ["a key with two different answers", { told: { ...approved, differentYes: 2 } }, ["doubled: one key, one answer"]],
  ["a yes whose key the log lost", { keys: {} }, ["lost: the key of every yes is in the log"]],
  ["a yes for another payment", { keys: { "key-1": "pay_2" } }, ["lost: the key of every yes is in the log"]],
  ["a second payment", { log: { pay_1: inLog, pay_2: inLog } }, ["doubled: one key, one payment"]],
  [
    "a second payment with a second charge",
    { log: { pay_1: inLog, pay_2: inLog }, acquirer: { pay_1: charged, pay_2: charged } },
    ["doubled: one key, one payment", "doubled: at most one charge per key"],
  ],
  ["a second charge of one payment", { acquirer: { pay_1: { ...charged, charges: 2 } } }, ["doubled: at most one charge per key"]],
  ["a failure that was charged", { told: refused }, ["unbalanced: a reported failure has no charge, or a reversed one"]],
  ["a void that the log lost", { told: { ...approved, operation: "void" } }, ["lost: accepted voids are in the log"]],
])("%s is found", (_name, world, checks) => {
  expect(failing(world)).toEqual(checks);
});

test("a failure whose charge was reversed passes, and so does a void that released", () => {
  expect(failing({ told: refused, acquirer: { pay_1: { ...charged, released: 1_000 } } })).toEqual([]);
  expect(failing({ told: refused, acquirer: { pay_1: { ...charged, charges: 0, authorized: 0 } } })).toEqual([]);
  expect(failing({ told: { ...approved, operation: "void" }, log: { pay_1: released } })).toEqual([]);
});

test("a ledger that is off by one, or whose balances are not its entries, is found", () => {
  const even = { currency: "EUR", posted: 0, pending: 0, accountsAstray: 0 };
  expect(compareLedgerSums([even])).toMatchObject({ compared: 1, differences: 0 });
  for (const wrong of [{ posted: 1 }, { pending: -1 }, { accountsAstray: 1 }])
    expect(compareLedgerSums([even, { ...even, ...wrong }])).toMatchObject({ figure: "unbalanced", differences: 1 });
});
