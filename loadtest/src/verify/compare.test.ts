import { expect, test } from "vitest";
import type { Answers, Told } from "./answers.ts";
import type { Books } from "./books.ts";
import { compareRun } from "./compare.ts";

const nothingTold: Told = { authorized: 0, captured: 0, captures: 0, refunded: 0, refunds: 0, unsureCaptured: 0, unsureRefunded: 0 };
const captured = {
  status: "captured",
  reference: "lt-1",
  isOfRun: true,
  isOpen: false,
  authorized: 1_000,
  captured: 1_000,
  refunded: 200,
  released: 0,
};

function books(change: { log?: object | undefined; acquirer?: object | undefined; ledger?: object | undefined } = {}): Books {
  const log = { ...captured, ...change.log };
  const acquirer = { charges: 1, authorized: 1_000, captured: 1_000, refunded: 200, released: 0, ...change.acquirer };
  const ledger = { posted: 1_000, refunded: 200, outstanding: 0, ...change.ledger };
  return {
    log: new Map("log" in change && change.log === undefined ? [] : [["pay_1", log]]),
    acquirer: new Map("acquirer" in change && change.acquirer === undefined ? [] : [["pay_1", acquirer]]),
    ledger: new Map("ledger" in change && change.ledger === undefined ? [] : [["pay_1", ledger]]),
  };
}

function told(change: Partial<Told> = {}): Answers {
  const payment = { ...nothingTold, authorized: 1_000, captured: 1_000, captures: 1, refunded: 200, refunds: 1, ...change };
  return { payments: new Map([["pay_1", payment]]), accepted: {}, refused: {}, unsure: {} };
}

const failing = (answers: Answers, some: Books) =>
  compareRun(answers, some)
    .filter(({ differences }) => differences > 0)
    .map(({ name }) => name);

test("books that agree pass every check", () => {
  expect(failing(told(), books())).toEqual([]);
});

test.each([
  [
    "an accepted payment that the log lost",
    books({ log: undefined, ledger: undefined }),
    [
      "accepted authorizations are in the log",
      "accepted captures and refunds are in the log",
      "every charge of the acquirer is in the log",
    ],
  ],
  [
    "a capture that the log lost",
    books({ log: { captured: 400 }, acquirer: { captured: 400 }, ledger: { posted: 400, outstanding: 600 } }),
    ["accepted captures and refunds are in the log"],
  ],
  [
    "a second charge",
    books({ acquirer: { charges: 2, authorized: 2_000 } }),
    ["the log and the acquirer agree", "the acquirer charged at most once"],
  ],
  ["a payment that the acquirer does not know", books({ acquirer: undefined }), ["the log and the acquirer agree"]],
  ["a refund that the ledger lost", books({ ledger: { refunded: 0 } }), ["the log and the ledger agree"]],
  ["a hold that the ledger kept", books({ ledger: { outstanding: 5 } }), ["the log and the ledger agree"]],
  ["an operation that is still open", books({ log: { isOpen: true, status: "processing" } }), ["nothing in the log is open"]],
])("%s is found", (_name, some, checks) => {
  expect(failing(told(), some)).toEqual(checks);
});

test("what the merchant is unsure of may have happened, and nothing beyond it", () => {
  const answers = told({ captured: 400, captures: 1, unsureCaptured: 600 });
  expect(failing(answers, books())).toEqual([]);
  expect(failing(told({ captured: 400, unsureCaptured: 500 }), books())).toEqual(["accepted captures and refunds are in the log"]);
});
