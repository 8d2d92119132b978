/**
 * Order within a batch of the log: who goes to the database now, and who waits for a neighbour.
 *
 * Two members may want the same row, the same key or the same unique reference. The first goes; the others wait for its answer, which
 * is often theirs too (the key is taken, the row is taken), else they go in the next round. So a merchant that sends one key a
 * thousand times at once costs one row, and no member fails because of its neighbour.
 */
import type { CallBudget } from "@florin/runtime/resilience";
import type { Transition } from "../domain/payment/index.ts";

/** What an intent brings beside its row. */
export type KeyClaim = {
  readonly key: string;
  /** 32 bytes. */
  readonly requestHash: Buffer;
  /** Of whoever waits for the operation: an intent is not written for one who does not. Absent: nobody waits. */
  readonly budget?: CallBudget | undefined;
};

export type Member = { readonly transition: Transition; readonly claim: KeyClaim | undefined };

/** `key_taken`: read the key, it leads to the answer. `conflict`: another writer has this sequence number, load and decide again. */
export type Verdict = "appended" | "conflict" | "key_taken" | "reference_taken";

/** What a waiting member learns from the verdict on the one it waits for; absent: nothing, it goes in the next round. */
const learned = {
  row: { appended: "conflict", conflict: "conflict" },
  key: { appended: "key_taken", key_taken: "key_taken" },
  reference: { appended: "reference_taken", reference_taken: "reference_taken" },
} as const satisfies Record<string, Partial<Record<Verdict, Verdict>>>;

type Wish = keyof typeof learned;
export type Waiting = { readonly place: number; readonly behind: number; readonly wish: Wish };

export type Round = { readonly going: readonly number[]; readonly waiting: readonly Waiting[] };

/** The places that go now, in lock order (merchant, key, payment), and those that wait. At least one goes. */
export function nextRound(members: readonly Member[], places: readonly number[]): Round {
  const takenBy = new Map<string, number>();
  const going: { readonly place: number; readonly order: string }[] = [];
  const waiting: Waiting[] = [];
  for (const place of places) {
    const member = members[place] as Member;
    const wishes = wishesOf(member);
    const blocked = wishes.find(([, name]) => takenBy.has(name));
    if (blocked !== undefined) {
      waiting.push({ place, wish: blocked[0], behind: takenBy.get(blocked[1]) as number });
      continue;
    }
    for (const [, name] of wishes) takenBy.set(name, place);
    going.push({ place, order: lockOrder(member) });
  }
  going.sort((left, right) => (left.order < right.order ? -1 : left.order > right.order ? 1 : 0));
  return { going: going.map(({ place }) => place), waiting };
}

/** What a round's waiting members learn from it: `verdict`, or that they must go themselves (`undefined`). */
export function lessonOf({ wish }: Waiting, first: Verdict): Verdict | undefined {
  return (learned[wish] as Partial<Record<Verdict, Verdict>>)[first];
}

function wishesOf({ transition: { payment }, claim }: Member): readonly (readonly [Wish, string])[] {
  const row = ["row", `${payment.id}/${payment.version}`] as const;
  if (claim === undefined) return [row];
  const scope = `${payment.merchantId}/${payment.mode}`;
  const key = ["key", `k/${scope}/${claim.key}`] as const;
  return isUniquelyReferenced(payment) ? [key, row, ["reference", `r/${scope}/${payment.merchantReference}`]] : [key, row];
}

export function isUniquelyReferenced(payment: Transition["payment"]): boolean {
  return payment.version === 1 && payment.uniqueReference && payment.merchantReference !== "";
}

function lockOrder({ transition: { payment }, claim }: Member): string {
  return `${payment.merchantId}/${claim?.key ?? ""}/${payment.id}`;
}
