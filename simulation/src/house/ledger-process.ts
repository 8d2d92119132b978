/** One instance of the ledger: the real follower, intake, bookkeeper and poster over simulated books, fed by the broker or the log itself. */
import { AppError } from "@florin/kernel";
import { createPosterOver } from "@florin/ledger/src/app/post-batches.ts";
import { followLogOver } from "@florin/ledger/src/workers/follow-log.ts";
import { createCatchingUpSource, type EventLogClient, partitionOf } from "@florin/runtime/bus";
import { subscribeToLog } from "@florin/switch/src/app/subscribe-to-log.ts";
import { Life } from "../engine/life.ts";
import { createBooksAccess } from "../fakes/books-store.ts";
import { createBrokerAccess } from "../fakes/broker.ts";
import { createElection } from "../fakes/locks.ts";
import type { House } from "./house.ts";
import { quietLogger } from "./quiet.ts";
import type { SwitchReplica } from "./switch-replica.ts";

/** Milliseconds. */
const restartMs = { min: 200, max: 4_000 };

export function startLedger(house: House, replicas: readonly SwitchReplica[], name: string): { crash(): void } {
  const { world } = house;
  let life = startOnce(house, replicas, name);
  return {
    crash() {
      if (life.isOver) return;
      world.note("crash", name);
      life.end();
      world.schedule(world.random.between(restartMs.min, restartMs.max), () => {
        life = startOnce(house, replicas, name);
      });
    },
  };
}

function startOnce(house: House, replicas: readonly SwitchReplica[], name: string): Life {
  const { world, faults, books, database, locks, broker } = house;
  const life = new Life(world, name);
  const { timing } = life;
  const store = createBooksAccess({ life, books, faults, weather: database });
  const tryToLead = createElection({ life, locks, faults, weather: database });
  const source = createCatchingUpSource({
    jetstream: createBrokerAccess({ life, broker, faults, logger: quietLogger }),
    direct: { client: eventLogOf(house, life, replicas) },
    logger: quietLogger,
    timing,
  });
  const follower = followLogOver(
    { source, poster: createPosterOver(store), onPosted: () => {}, logger: quietLogger },
    { readProgress: store.readProgress, tryToLead: () => tryToLead("ledger"), timing },
  );
  world.onEnd(() => void follower.stop());
  return life;
}

/** `EventLogService.Subscribe` of whichever replica answers. It breaks when that replica dies. */
function eventLogOf({ world }: House, life: Life, replicas: readonly SwitchReplica[]): EventLogClient {
  return {
    async *subscribe({ afterPosition }, { signal }) {
      const up = replicas.filter((replica) => replica.running !== undefined);
      const replica = up.length === 0 ? undefined : world.random.pick(up).running;
      if (replica === undefined) throw new AppError("unavailable", "no switch answers", { work: "not_done" });
      const broken = new AbortController();
      const lost = life.promise<never>((_, reject) =>
        replica.life.onEnd(() => {
          broken.abort();
          life.after(1, () => reject(new AppError("peer_lost", "the switch is gone", { work: "unknown" })));
        }),
      );
      lost.catch(() => {});
      // The subscription runs in the replica's life, and ends with the subscriber's.
      const pages = subscribeToLog(
        { tail: replica.tail, timing: replica.life.timing },
        { afterPosition, signal: AbortSignal.any([signal, broken.signal]) },
      );
      while (!signal.aborted && !life.isOver) {
        const next = await Promise.race([pages.next(), lost]);
        if (next.done === true) return;
        const { throughPosition, events } = next.value;
        yield {
          $typeName: "florin.events.v1.SubscribeResponse",
          batch: {
            $typeName: "florin.events.v1.EventBatch",
            partition: 0,
            throughPosition,
            events: events.map(({ position, paymentId, body }) => ({
              $typeName: "florin.events.v1.LoggedEvent" as const,
              position,
              body,
              partition: partitionOf(paymentId),
            })),
          },
        };
      }
    },
  };
}
