/** Tables of different connectors beside each other: the trade's codes mean the same wherever they come from. */

import type { DeclineReason } from "@florin/kernel";
import { expect, test } from "vitest";
import { actionCodes1993, meaningOf, responseCodes1987 } from "../src/iso8583/response-table.ts";
import { operationMeanings } from "../src/simpay/response-table.ts";

/** simpay's test cards give 05 where no reason is told. */
const differing = new Set(["05"]);
const declines = Object.entries(operationMeanings)
  .map(([key, meaning]) => [key.split(" ") as [string, string], meaning] as const)
  .filter(([[status, code]]) => status === "declined" && !differing.has(code));

test.each(declines.map(([[, code], meaning]) => [code, meaning] as const))("simpay's %s is what ISO 8583 calls it", (code, meaning) => {
  const iso: unknown = meaningOf("1987", code);
  expect(iso).toMatchObject(meaning);
});

/** After these the networks forbid to try the card again: "network_stop" in switch/src/domain/routing/cascade.ts. */
const neverAgain: ReadonlySet<DeclineReason> = new Set([
  ...(["transaction_not_allowed", "invalid_account", "lost_card", "stolen_card"] as const),
  ...(["pickup_card", "do_not_try_again", "revocation_of_authorization"] as const),
]);
type Declined = { readonly kind: string; readonly reason?: DeclineReason; readonly about?: string };
const isNeverAgain = ({ reason }: Declined) => reason !== undefined && neverAgain.has(reason);

/** Visa's category 1, "issuer will never approve"; simpay has some of them. */
const categoryOne = ["04", "07", "12", "15", "41", "43", "46", "57", "R0", "R1", "R3"];
const tablesOfVisaCodes: readonly (readonly [string, Readonly<Record<string, Declined>>])[] = [
  ["ISO 8583", responseCodes1987],
  ["simpay", Object.fromEntries(declines.map(([[, code], meaning]) => [code, meaning]))],
];

test.each(tablesOfVisaCodes)("what the networks call category 1 ends all tries of a card at %s", (_name, table) => {
  const known = categoryOne.filter((code) => code in table);
  expect(known.filter((code) => !isNeverAgain(table[code] as Declined))).toEqual([]);
  expect(known.length).toBeGreaterThan(5);
});

test.each([
  ["1987", responseCodes1987],
  ["1993", actionCodes1993],
] as const)(
  "a host of %s that looked at nothing but who sends the message bans no card",
  (_version, table: Readonly<Record<string, Declined>>) => {
    const atTheDoor = Object.values(table).filter(({ about }) => about === "request");
    expect(atTheDoor.length).toBeGreaterThan(4);
    expect(atTheDoor.filter(isNeverAgain)).toEqual([]);
  },
);
