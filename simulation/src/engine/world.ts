/**
 * Simulated time: one queue of events, run one after the other, each with all the promises that it settles.
 *
 * Nothing in a run may ask the machine for time or chance; then a run is a function of its seed, and its trace hash proves it.
 */
import { EventQueue } from "./event-queue.ts";
import { createRandom, type Random } from "./random.ts";

export type World = {
  readonly seed: number;
  readonly random: Random;
  /** Milliseconds since the run began. */
  readonly nowMs: number;
  /** Unix milliseconds by a clock that is right. */
  readonly unixMs: number;
  /** The result takes the event back. */
  schedule(delayMs: number, run: () => void): () => void;
  /** A line of the trace: what happened, in words that a replay repeats to the letter. */
  note(what: string, ...words: readonly (string | number | bigint)[]): void;
  /** Hash of the trace so far, 16 hex characters. */
  traceHash(): string;
  readonly eventsRun: number;
  /** For what holds memory until it is told to stop: signals that have listeners. */
  onEnd(release: () => void): void;
  /** After the run, when everything was read from it. */
  end(): void;
  /** Runs until `isDone`, which is asked every `askEveryMs` of simulated time, or until `untilMs`. Rejects when an event throws. */
  run(o: { readonly isDone: () => boolean; readonly askEveryMs: number; readonly untilMs: number }): Promise<void>;
};

/** 2026-01-01T00:00:00Z. */
const epochMs = 1_767_225_600_000;
/** Events handed to one turn of the real event loop. The promises of each are settled before the next. */
const eventsPerTurn = 64;

export function createWorld(seed: number, onNote?: (line: string) => void): World {
  const queue = new EventQueue();
  let nowMs = 0;
  let high = 0x811c9dc5;
  let low = 0x01234567;
  let eventsRun = 0;
  const releases: (() => void)[] = [];
  const mix = (word: string): void => {
    for (let index = 0; index < word.length; index++) {
      const code = word.charCodeAt(index);
      high = Math.imul(high ^ code, 0x01000193);
      low = Math.imul(low ^ (code + 1), 0x85ebca6b) ^ (low >>> 13);
    }
    high = Math.imul(high ^ 0xff, 0x01000193);
  };
  return {
    seed,
    random: createRandom(seed),
    get nowMs() {
      return nowMs;
    },
    get unixMs() {
      return epochMs + Math.floor(nowMs);
    },
    get eventsRun() {
      return eventsRun;
    },
    onEnd: (release) => {
      releases.push(release);
    },
    end() {
      for (const release of releases.splice(0)) release();
    },
    schedule(delayMs, run) {
      const event = queue.push(nowMs + delayMs, run);
      return () => {
        event.run = undefined;
      };
    },
    note(what, ...words) {
      mix(what);
      mix(nowMs.toFixed(3));
      for (const word of words) mix(typeof word === "string" ? word : String(word));
      onNote?.(`${nowMs.toFixed(3).padStart(12)} ${what} ${words.join(" ")}`);
    },
    traceHash: () => hex(high) + hex(low),
    run: ({ isDone, askEveryMs, untilMs }) =>
      new Promise((resolve, reject) => {
        let hasEnded = false;
        let askAtMs = askEveryMs;
        const end = (finish: () => void): void => {
          hasEnded = true;
          finish();
        };
        const runNext = (): void => {
          const event = queue.pop();
          if (event === undefined || event.atMs > untilMs) {
            end(resolve);
            return;
          }
          nowMs = event.atMs;
          if (nowMs >= askAtMs) {
            askAtMs = nowMs + askEveryMs;
            if (isDone()) {
              end(resolve);
              return;
            }
          }
          if (event.run === undefined) return;
          eventsRun += 1;
          event.run();
        };
        const step = (): void => {
          if (hasEnded) return;
          try {
            runNext();
          } catch (thrown) {
            end(() => reject(thrown));
          }
        };
        const turn = (): void => {
          if (hasEnded) return;
          for (let index = 0; index < eventsPerTurn; index++) setImmediate(step);
          setImmediate(turn);
        };
        turn();
      }),
  };
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
