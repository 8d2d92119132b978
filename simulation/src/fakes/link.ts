/** Calls between our own processes: requests and answers travel, get lost, come late or twice. Time-outs are the caller's. */
import { AppError } from "@florin/kernel";
import type { Life } from "../engine/life.ts";
import type { Faults } from "../faults.ts";

/** Milliseconds. Delays are short enough that a request arrives within the time after which "not found" is believed. */
const legMs = { min: 0.05, max: 1 };
const delayedMsMax = 6_000;

/** A partition of the network: while it is cut, nothing arrives in either direction, and nobody is told. */
export type Line = { isCut: boolean };

export type LinkOptions = { readonly life: Life; readonly faults: Faults; readonly line?: Line };

/**
 * One call. `serve` runs at the other side, once for each copy of the request that arrives, and answers by `reply`. A lost stream rejects
 * with `peer_lost`, a passed deadline with `deadline_exceeded`: both unknown.
 */
export function callOver<T>(
  { life, faults, line }: LinkOptions,
  o: {
    readonly timeoutMs: number;
    readonly serve: (reply: (answer: T) => void) => void;
    /** A caller behind proxies and retries of its own; on a stream between two of our processes nothing comes twice. */
    readonly mayRepeat?: boolean;
  },
): Promise<T> {
  const { world } = life;
  const { random } = world;
  const leg = () => random.between(legMs.min, legMs.max) + (faults.fires("message_delayed") ? random.between(0, delayedMsMax) : 0);
  return life.promise((resolve, reject) => {
    if (faults.fires("link_down")) return reject(new AppError("unavailable", "there is no link", { work: "not_done" }));
    const cancelDeadline = life.after(o.timeoutMs, () =>
      reject(new AppError("deadline_exceeded", "no answer within the deadline", { work: "unknown" })),
    );
    const reply = (answer: T): void => {
      if (line?.isCut === true) return;
      if (faults.fires("message_dropped")) lose();
      else
        world.schedule(leg(), () => {
          cancelDeadline();
          resolve(answer);
        });
    };
    // Half of what is lost is noticed, because the stream is lost with it.
    const lose = (): void => {
      if (random.chance(0.5)) life.after(leg(), () => reject(new AppError("peer_lost", "the stream was lost", { work: "unknown" })));
    };
    if (line?.isCut === true) return;
    const isDropped = faults.fires("message_dropped");
    if (isDropped) return lose();
    world.schedule(leg(), () => o.serve(reply));
    if (o.mayRepeat === true && faults.fires("message_duplicated")) world.schedule(leg(), () => o.serve(reply));
  });
}
