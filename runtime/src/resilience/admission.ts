/**
 * Admission by what is in flight: who may come in now, and who is sent away before anything is done for him.
 *
 * Three rules, each asked at the door and in the same time whatever is in flight:
 * 1. order: each class of work has a ceiling for the sum of all that is in flight. The class with the lowest ceiling is sent away first;
 * 2. bulkheads: each class has a bound of its own, so that a flood of one leaves places to the others;
 * 3. fairness: one owner (a merchant) holds at most `shareOfFree` times as many places as are free below the ceiling of the class. One that
 *    floods alone stops at half (`shareOfFree` 1), two at a third each, and so on: whoever comes new finds room (dynamic thresholds of
 *    shared-memory switches, Choudhury and Hahne 1998). It needs no list of who is active, and takes nothing from anybody while there is room.
 *
 * Invariants: nobody is let in beyond the limit of the moment, which may come down below what is held; nobody is let in beyond `inFlightMax`; owners are remembered while they hold a place.
 * Nobody waits here: "no" is an answer. Not here: how often somebody may ask (rate-limit).
 */
import { assert } from "@florin/kernel";

export type AdmissionSettings<Class extends string> = {
  /** Places, at least 1. */
  readonly inFlightMax: number;
  /** Places there are now, 1 to `inFlightMax`. Default: all. */
  readonly limit?: () => number;
  /** Shares of the places there are now, 0 to 1 each; at least one place. */
  readonly classes: Readonly<Record<Class, ClassLimits>>;
  /** Places of one owner per free place, above 0. */
  readonly shareOfFree: number;
};

export type ClassLimits = {
  /** The class is sent away from this sum of all classes on. */
  readonly ceiling: number;
  /** Places that the class itself may hold. */
  readonly ownMax: number;
};

/** Why not: too much is in flight for work of this class, too much of this class is, or too much of this owner's. */
export type Refusal = "order" | "bulkhead" | "fairness";

/** Held from `enter` to `leave`. */
export type Place<Class extends string> = { readonly class: Class; readonly owner: string; isHeld: boolean };

export interface Admission<Class extends string> {
  /** Whether `enter` would refuse now. Takes nothing. */
  refusalOf(kind: Class, owner: string): Refusal | undefined;
  enter(kind: Class, owner: string): Place<Class> | Refusal;
  /** Other settings from now on, of the same classes. What is held stays; who comes next is judged by the new ones. */
  adopt(settings: AdmissionSettings<Class>): void;
  /** Exactly once per place; a second time is a bug. */
  leave(place: Place<Class>): void;
  readonly inFlight: number;
  inFlightOf(kind: Class): number;
  /** Owners that hold a place. */
  readonly owners: number;
}

export function createAdmission<Class extends string>(settings: AdmissionSettings<Class>): Admission<Class> {
  check(settings);
  let { inFlightMax, classes, shareOfFree, limit = () => inFlightMax } = settings;
  const heldByClass = Object.fromEntries(Object.keys(classes).map((name) => [name, 0])) as Record<Class, number>;
  const heldByOwner = new Map<string, number>();
  let held = 0;

  const refusalOf = (kind: Class, owner: string): Refusal | undefined => {
    const places = limit();
    const ceiling = placesOf(classes[kind].ceiling, places);
    if (held >= ceiling) return "order";
    if (heldByClass[kind] >= placesOf(classes[kind].ownMax, places)) return "bulkhead";
    return (heldByOwner.get(owner) ?? 0) < shareOfFree * (ceiling - held) ? undefined : "fairness";
  };
  return {
    refusalOf,
    enter(kind, owner) {
      const refusal = refusalOf(kind, owner);
      if (refusal !== undefined) return refusal;
      held += 1;
      heldByClass[kind] += 1;
      heldByOwner.set(owner, (heldByOwner.get(owner) ?? 0) + 1);
      assert(held <= inFlightMax, "no more places are held than there are");
      return { class: kind, owner, isHeld: true };
    },
    adopt(next) {
      check(next);
      ({ inFlightMax, classes, shareOfFree, limit = () => inFlightMax } = next);
    },
    leave(place) {
      assert(place.isHeld, "a place is left once");
      place.isHeld = false;
      held -= 1;
      heldByClass[place.class] -= 1;
      const left = (heldByOwner.get(place.owner) ?? 0) - 1;
      if (left > 0) heldByOwner.set(place.owner, left);
      else heldByOwner.delete(place.owner);
    },
    get inFlight() {
      return held;
    },
    inFlightOf: (kind) => heldByClass[kind],
    get owners() {
      return heldByOwner.size;
    },
  };
}

function check({ inFlightMax, classes, shareOfFree }: AdmissionSettings<string>): void {
  assert(Number.isInteger(inFlightMax) && inFlightMax >= 1, "inFlightMax is an integer of at least 1");
  assert(shareOfFree > 0, "shareOfFree is above 0");
  for (const { ceiling, ownMax } of Object.values(classes))
    for (const share of [ceiling, ownMax]) assert(share >= 0 && share <= 1, "limits of a class are shares from 0 to 1");
}

function placesOf(share: number, places: number): number {
  return Math.max(1, Math.round(share * places));
}
