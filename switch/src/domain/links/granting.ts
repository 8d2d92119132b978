/**
 * To whom the live links of a processor are granted (docs/decisions/0010). Pure; the clock, which never jumps, comes as an argument.
 *
 * The process that holds the links gets them again at once. Another one gets them when the last grant is surely over: a grant counts from a moment
 * that the holder told us before we granted, so it ends at the latest one validity after we had heard of that moment.
 */

export type GrantRules = {
  readonly validForMs: number;
  /** More than two clocks differ by over one validity. */
  readonly marginMs: number;
};

export type GrantState = {
  /** Of this leader and this holder; a higher one in the store means that somebody else leads. */
  readonly term: bigint;
  /** The process that had the links last; empty before the first. */
  readonly holder: string;
  /** Nobody else gets them before this moment, ms. */
  readonly freeAtMs: number;
};

/** The latest answer of the process that we speak to. */
export type Seen = {
  readonly processId: string;
  /** On its clock, ms. */
  readonly clockMs: bigint;
  /** When we had the answer, on our clock, ms. */
  readonly receivedAtMs: number;
};

export type Move =
  /** Find out who answers. */
  | "ask"
  /** The holder keeps them. */
  | "grant"
  /** Another process gets them, under the next term. */
  | "hand_over"
  /** Another process would get them; the holder may still have them. */
  | "wait";

export function nextMove(state: GrantState, seen: Seen | undefined, nowMs: number): Move {
  if (seen === undefined) return "ask";
  if (seen.processId === state.holder) return "grant";
  return nowMs >= state.freeAtMs ? "hand_over" : "wait";
}

/** `before`: this replica's own state when it led last. Where nobody has led since, what it knows of the last grant still holds. */
export function beginTerm(
  rules: GrantRules,
  begun: { readonly term: bigint; readonly holder: string },
  before: GrantState | undefined,
  nowMs: number,
): GrantState {
  if (begun.holder === "") return { ...begun, freeAtMs: nowMs };
  if (before !== undefined && before.term + 1n === begun.term) return { ...begun, freeAtMs: before.freeAtMs };
  return { ...begun, freeAtMs: nowMs + rules.validForMs + rules.marginMs };
}

export function afterGrant(rules: GrantRules, state: GrantState, { receivedAtMs }: Seen): GrantState {
  return { ...state, freeAtMs: Math.max(state.freeAtMs, receivedAtMs + rules.validForMs + rules.marginMs) };
}
