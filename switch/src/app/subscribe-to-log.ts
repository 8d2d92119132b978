/** The log as a stream of pages from any position, live: what EventLogService hands to its subscribers. */
import type { Timing } from "@florin/runtime/timing";
import type { LogTail, TailPage } from "../store/log-tail.ts";

const batchEventsMax = 512;
const idlePollMs = 25;
const signOfLifeMs = 5_000;

/** Ends when `signal` is aborted. Throws on database faults. When nothing happens, an empty page is the sign of life. */
export async function* subscribeToLog(
  o: { readonly tail: LogTail; readonly timing: Timing },
  { afterPosition, signal }: { readonly afterPosition: bigint; readonly signal: AbortSignal },
): AsyncGenerator<TailPage> {
  const { tail, timing } = o;
  let position = afterPosition;
  let spokenMs = timing.monotonicMs();
  while (!signal.aborted) {
    const page = await tail.read(position, batchEventsMax);
    const hasMoved = page.throughPosition > position;
    if (hasMoved || timing.monotonicMs() - spokenMs >= signOfLifeMs) {
      position = page.throughPosition;
      spokenMs = timing.monotonicMs();
      yield page;
    }
    if (page.events.length < batchEventsMax) await timing.sleep(idlePollMs, signal);
  }
}
