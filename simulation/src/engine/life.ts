/**
 * One life of a simulated process, from its start to its crash. Everything that the process does goes through its life, and once that is
 * over nothing comes back: its promises stay pending for ever, its timers never ring, its calls never leave.
 */
import type { Timing } from "@florin/runtime/timing";
import type { World } from "./world.ts";

/** Longest time that a turn of a simulated event loop takes: what comes within one turn shares a batch. */
const turnMsMax = 1.5;

export class Life {
  readonly name: string;
  readonly world: World;
  readonly timing: Timing;
  #isOver = false;
  readonly #whenOver: (() => void)[] = [];

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.timing = {
      monotonicMs: () => world.nowMs,
      sleep: (delayMs, signal) => this.#sleep(delayMs, signal),
      after: (delayMs, run) => this.after(delayMs, run),
      atTurnEnd: (run) => void this.after(world.random.unit() * turnMsMax, run),
    };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** As by kill -9. Safe to repeat. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const run of this.#whenOver.splice(0)) run();
  }

  /** For what the rest of the world notices of the end: locks, connections. */
  onEnd(run: () => void): void {
    if (this.#isOver) run();
    else this.#whenOver.push(run);
  }

  after(delayMs: number, run: () => void): () => void {
    if (this.#isOver) return () => {};
    return this.world.schedule(delayMs, () => {
      if (!this.#isOver) run();
    });
  }

  /** Like `new Promise`, except that it is never settled after the end. */
  promise<T>(begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#isOver) return;
      begin(
        (value) => {
          if (!this.#isOver) resolve(value);
        },
        (error) => {
          if (!this.#isOver) reject(error);
        },
      );
    });
  }

  #sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return this.promise((resolve) => {
      const finish = (): void => {
        cancel();
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const cancel = this.after(delayMs, finish);
      signal?.addEventListener("abort", finish, { once: true });
    });
  }
}
