/** Requests that wait until their number is free: bounded, each within its deadline, first come first served. */
import type { Trace } from "./in-flight.ts";

export type Guest = { readonly trace: Trace /** On the clock that never jumps. */; readonly deadlineMs: number };

export class WaitingRoom<Waiting extends Guest> {
  readonly #placesMax: number;
  #guests: Waiting[] = [];

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  /** False when there is no place. */
  add(waiting: Waiting): boolean {
    if (this.#guests.length >= this.#placesMax) return false;
    this.#guests.push(waiting);
    return true;
  }

  /** The first that waits for the number of `trace`, which leaves. */
  takeFor({ messageClass, stan, terminal }: Trace): Waiting | undefined {
    const index = this.#guests.findIndex(
      ({ trace }) => trace.stan === stan && trace.terminal === terminal && trace.messageClass === messageClass,
    );
    return index < 0 ? undefined : this.#guests.splice(index, 1)[0];
  }

  /** Those whose time is over, which leave. */
  takeOverdue(nowMs: number): readonly Waiting[] {
    const overdue = this.#guests.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    if (overdue.length > 0) this.#guests = this.#guests.filter(({ deadlineMs }) => deadlineMs > nowMs);
    return overdue;
  }
}
