/**
 * JetStream as the bus sees it: one stream of messages that chain from position to position, and that may be away, wiped, cut short,
 * repeated, or silent about what it took.
 */
import { AppError } from "@florin/kernel";
import { type FollowOptions, type JetStreamBus, type Offer, PartitionIntake, type StreamEndAt } from "@florin/runtime/bus";
import type { Logger } from "@florin/runtime/telemetry";
import type { Life } from "../engine/life.ts";
import type { Faults } from "../faults.ts";

/** Milliseconds. */
const roundTripMs = { min: 0.2, max: 3 };
const publishTimeoutMs = 5_000;
const portionWaitMs = 1_000;
/** Empty portions in a row after which the stream is called quiet: it may have lost what it had. */
const quietPortions = 10;

export class Broker {
  isAway = false;
  /** Grows with every loss: who was reading then is cut off. */
  epoch = 0;
  messages: Offer[] = [];
  readonly #readers = new Set<() => void>();

  append(message: Offer): void {
    this.messages.push(message);
    this.wake();
  }

  empty(): void {
    this.messages = [];
    this.epoch += 1;
    this.wake();
  }

  /** The newest messages are gone, as after a crash before a flush. `isNoticed`: connections were lost with them. */
  loseTail(count: number, isNoticed: boolean): void {
    this.messages = this.messages.slice(0, Math.max(0, this.messages.length - count));
    if (isNoticed) this.epoch += 1;
    this.wake();
  }

  goAway(): void {
    this.isAway = true;
    this.epoch += 1;
    this.wake();
  }

  comeBack(): void {
    this.isAway = false;
  }

  wake(): void {
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const run of readers) run();
  }

  onNews(run: () => void): void {
    this.#readers.add(run);
  }
}

type BrokerOptions = { readonly life: Life; readonly broker: Broker; readonly faults: Faults; readonly logger: Logger };

export type BrokerAccess = Pick<JetStreamBus, "publish" | "newestPosition" | "isConnected" | "followStream">;

export function createBrokerAccess(o: BrokerOptions): BrokerAccess {
  const { life, broker, faults } = o;
  const { random } = life.world;
  const delayMs = () => random.between(roundTripMs.min, roundTripMs.max);
  return {
    isConnected: () => !broker.isAway,
    newestPosition: () =>
      life.promise(
        (resolve) => void life.after(delayMs(), () => resolve(broker.isAway ? undefined : broker.messages.at(-1)?.throughPosition)),
      ),
    publish: (batches, { afterPosition } = {}) =>
      life.promise((resolve, reject) => {
        const isSilent = faults.fires("broker_silent");
        life.world.schedule(delayMs(), () => {
          if (broker.isAway || (isSilent && random.chance(0.5))) return void life.after(publishTimeoutMs, () => reject(notAcknowledged()));
          for (const { partition, throughPosition, events } of batches) {
            const first = events[0]?.position ?? throughPosition;
            const message = { partition, throughPosition, events, afterPosition: afterPosition ?? first - 1n };
            broker.append(message);
            if (faults.fires("broker_repeated")) broker.append(message);
          }
          if (isSilent) life.after(publishTimeoutMs, () => reject(notAcknowledged()));
          else life.after(delayMs(), () => resolve());
        });
      }),
    followStream: (follow) => followStream(o, follow),
  };
}

async function followStream({ life, broker, logger }: BrokerOptions, follow: FollowOptions): Promise<StreamEndAt> {
  const intake = new PartitionIntake({ ...follow, logger, onRedelivery: () => {}, timing: life.timing });
  const end = await takeInAll({ life, broker }, follow, intake);
  await intake.finish();
  return { end: follow.signal.aborted ? { kind: "aborted" } : end, positions: intake.handled };
}

async function takeInAll(
  { life, broker }: Pick<BrokerOptions, "life" | "broker">,
  { signal }: FollowOptions,
  intake: PartitionIntake,
): Promise<StreamEndAt["end"]> {
  const { epoch } = broker;
  await life.timing.sleep(roundTripMs.max, signal);
  if (broker.isAway) return { kind: "interrupted", cause: notAcknowledged() };
  if (broker.messages.length === 0) return { kind: "empty" };
  let next = broker.messages.findIndex(({ throughPosition }) => throughPosition > intake.seenMin);
  if (next < 0) next = broker.messages.length;
  let emptyPortions = 0;
  while (!signal.aborted) {
    if (broker.epoch !== epoch) return { kind: "interrupted", cause: notAcknowledged() };
    const message = broker.messages[next];
    if (message === undefined) {
      // Cut short behind us: what comes next is found by its place, and the chain tells what is missing.
      next = Math.min(next, broker.messages.length);
      if (emptyPortions === quietPortions) return { kind: "quiet" };
      emptyPortions = (await news(life, broker, signal)) ? 0 : emptyPortions + 1;
      continue;
    }
    next += 1;
    if (intake.offer(message) === "gap") return { kind: "gap", partition: message.partition };
    await intake.whenRoom();
  }
  return { kind: "aborted" };
}

/** Until something comes, a portion's wait is over (then false), or the consumer stops. */
function news(life: Life, broker: Broker, signal: AbortSignal): Promise<boolean> {
  return life.promise((resolve) => {
    const finish = (isNews: boolean): void => {
      cancel();
      signal.removeEventListener("abort", onAbort);
      resolve(isNews);
    };
    const onAbort = (): void => finish(true);
    const cancel = life.after(portionWaitMs, () => finish(false));
    broker.onNews(() => finish(true));
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function notAcknowledged(): AppError {
  return new AppError("unavailable", "the simulated broker does not answer", { work: "unknown" });
}
