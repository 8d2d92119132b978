/** One replica of the switch: the real use cases, stores and workers over simulated servers. It dies by a fault and starts again from the log. */
import { TokenState, type VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import type { Client } from "@florin/runtime/rpc";
import { createFraudScreen } from "@florin/switch/src/app/fraud/screen.ts";
import type { Parts } from "@florin/switch/src/app/parts.ts";
import { createPaymentQueues } from "@florin/switch/src/app/payment-queues.ts";
import { createRouter } from "@florin/switch/src/app/routing/router.ts";
import { createSightings } from "@florin/switch/src/app/sightings.ts";
import { createConnectorGateway } from "@florin/switch/src/clients/connector-gateway.ts";
import { createProcessorCircuits } from "@florin/switch/src/clients/processor-circuits.ts";
import { createRetryBudgets } from "@florin/switch/src/clients/retry-budgets.ts";
import { createTokenDirectory } from "@florin/switch/src/clients/token-directory.ts";
import { listsAndVelocity, makeBlockList, type VelocityLimits } from "@florin/switch/src/domain/fraud/index.ts";
import { usualLimits } from "@florin/switch/src/domain/limits/index.ts";
import { createAuthorizationRates } from "@florin/switch/src/domain/routing/index.ts";
import { defaultSettings } from "@florin/switch/src/domain/settings/index.ts";
import { type Claims, createClaimsOver } from "@florin/switch/src/store/claims.ts";
import { createLogTailOver, type LogTail } from "@florin/switch/src/store/log-tail.ts";
import { createBatchedLogWriter } from "@florin/switch/src/store/log-writer.ts";
import { expireAuthorizations } from "@florin/switch/src/workers/expire-authorizations.ts";
import { followUpOperations } from "@florin/switch/src/workers/follow-up-operations.ts";
import { leadBy } from "@florin/switch/src/workers/lead.ts";
import { relay } from "@florin/switch/src/workers/relay.ts";
import { Life } from "../engine/life.ts";
import { createBrokerAccess } from "../fakes/broker.ts";
import { createCacheAccess } from "../fakes/cache.ts";
import { createConnectorClient } from "../fakes/connector-link.ts";
import { callOver } from "../fakes/link.ts";
import { createElection } from "../fakes/locks.ts";
import { createLogAccess, type LogAccess } from "../fakes/log-access.ts";
import type { House } from "./house.ts";
import { quietLogger, quietMetrics, quietTracer } from "./quiet.ts";

export type SwitchReplica = {
  readonly name: string;
  /** Undefined while it is down. */
  readonly running: Running | undefined;
  /** Milliseconds by which its wall clock is ahead. */
  clockAheadMs: number;
  crash(): void;
};

type Running = { readonly life: Life; readonly parts: Parts; readonly tail: LogTail };

/** Milliseconds. */
const restartMs = { min: 200, max: 4_000 };
const generous = { raisedFrom: 1_000_000, blockedFrom: 1_000_000 };
const limits: VelocityLimits = { cardPerHour: generous, cardPerDay: generous, ipPerHour: generous, merchantPerMinute: generous };
/** So little traffic, and so many faults, that a circuit opens at the third failure of three. */
const retrySettings = { share: 0.1, savedMax: 256, perSecondMin: 10 };
const circuitSettings = {
  failureShare: 0.5,
  volumeMin: 3,
  windowMs: 20_000,
  slowAfterMs: 5_000,
  openMs: 2_000,
  openMsMax: 10_000,
  refusalsMin: 2,
  failuresInRow: 3,
  probesMax: 1,
};
const noBlocks = makeBlockList([]);

export function startReplica(house: House, name: string): SwitchReplica {
  const { world } = house;
  let running: Running | undefined;
  const replica: SwitchReplica = {
    name,
    clockAheadMs: 0,
    get running() {
      return running;
    },
    crash() {
      if (running === undefined) return;
      world.note("crash", name);
      running.life.end();
      running = undefined;
      world.schedule(world.random.between(restartMs.min, restartMs.max), start);
    },
  };
  const start = (): void => {
    running = startOnce(house, replica);
  };
  start();
  return replica;
}

function startOnce(house: House, replica: SwitchReplica): Running {
  const { world, faults, store, database, locks } = house;
  const life = new Life(world, replica.name);
  const { timing } = life;
  const access = mortal(createLogAccess({ life, store, faults, weather: database }), () => {
    if (faults.fires("switch_crashed")) replica.crash();
  });
  const link = { life, faults };
  const now = () => world.unixMs + house.calendar.leaptMs + replica.clockAheadMs;
  const settled = defaultSettings({ processors: [...house.acquirers.keys()], velocity: limits, ...usualLimits });
  const settings = () => settled;
  const circuits = createProcessorCircuits({ settings: () => circuitSettings, now: timing.monotonicMs, metrics: quietMetrics });
  const parts: Parts = {
    log: createBatchedLogWriter({ insert: access.insert, metrics: quietMetrics, timing }),
    reader: access.reader,
    claims: witnessed(
      house,
      createClaimsOver({ cache: createCacheAccess({ life, server: house.cache, faults }), metrics: quietMetrics, now, timing }),
    ),
    vault: createTokenDirectory({ vault: vaultOf(house, life), now }),
    connectors: createConnectorGateway({
      client: createConnectorClient({ ...link, line: house.connectorLine, acquirers: house.acquirers }),
      tracer: quietTracer,
      circuits,
      retries: createRetryBudgets({ settings: () => retrySettings, now: timing.monotonicMs, metrics: quietMetrics }),
      now,
    }),
    fraud: createFraudScreen({ tiers: [listsAndVelocity({ blockList: () => noBlocks, limits: () => limits })] }),
    queues: createPaymentQueues(),
    questions: new Map(),
    sightings: createSightings({ timing }),
    metrics: quietMetrics,
    now,
    random: (length) => world.random.bytes(length),
    timing,
    crashAt: () => {
      if (!life.isOver && faults.fires("switch_crashed_at_point")) replica.crash();
    },
    authorizationLifetimeMs: house.calendar.holdsForMs,
    router: createRouter({
      settings,
      health: (processor) => circuits.health(processor, "authorize"),
      passedBy: circuits.passedBy,
      rates: { test: createAuthorizationRates(), live: createAuthorizationRates() },
      now,
    }),
    declines: access.declines,
    settings,
  };
  const tail = createLogTailOver(access.tailQueries);
  const tryToLead = createElection({ life, locks, faults, weather: database });
  const bus = createBrokerAccess({ life, broker: house.broker, faults, logger: quietLogger });
  const { checkpoints, openOperations: operations, holds } = access;
  const work = {
    follow_up: (signal: AbortSignal) => followUpOperations({ parts, tail, operations, checkpoints, logger: quietLogger }, signal),
    expiry: (signal: AbortSignal) => expireAuthorizations({ parts, holds, checkpoints, logger: quietLogger }, signal),
    relay: (signal: AbortSignal) => relay({ tail, bus, logger: quietLogger, metrics: quietMetrics, timing }, signal),
  };
  for (const [name, run] of Object.entries(work)) {
    const worker = leadBy({ name, logger: quietLogger, work: run }, { tryToLead: () => tryToLead(name), timing });
    world.onEnd(() => void worker.stop());
  }
  return { life, parts, tail };
}

/** Notes which payments are made without the cache: until it is in the log, a payment has an id of its own for every try. */
function witnessed({ store, madeWithoutCache }: House, claims: Claims): Claims {
  return {
    get isAvailable() {
      return claims.isAvailable;
    },
    remember: (use, answer) => claims.remember(use, answer),
    release: (claim) => claims.release(claim),
    countOf: (name) => claims.countOf(name),
    uncount: (counter) => claims.uncount(counter),
    async claim(use, o) {
      const answer = await claims.claim(use, o);
      if (answer.kind === "degraded" && !store.payments.has(o.paymentId)) madeWithoutCache.add(o.paymentId);
      return answer;
    },
  };
}

/** A process may die at any of its waits for the database: before the statement has left, or before its answer is read. */
function mortal(access: LogAccess, perhapsDie: () => void): LogAccess {
  const around = <In extends readonly unknown[], Out>(call: (...input: In) => Promise<Out>) => {
    return async (...input: In): Promise<Out> => {
      perhapsDie();
      const answered = call(...input);
      perhapsDie();
      return answered;
    };
  };
  return {
    ...access,
    insert: around(access.insert),
    reader: {
      ...access.reader,
      newest: around(access.reader.newest),
      key: around(access.reader.key),
      answerOf: around(access.reader.answerOf),
    },
  };
}

function vaultOf({ vault, faults }: House, life: Life): Client<typeof VaultService> {
  const answer = {
    $typeName: "florin.vault.v1.DescribeTokenResponse",
    found: true,
    brand: "visa",
    bin: "42424242",
    last4: "4242",
    expMonth: 12,
    expYear: 2030,
    funding: "credit",
    fingerprint: "",
    state: TokenState.ACTIVE,
    usage: "reusable",
    usedByPaymentId: "",
    createdAtMs: 1n,
    expiresAtMs: 4_102_444_800_000n,
  };
  const client = {
    describeToken: ({ token }: { readonly token?: string }, { timeoutMs }: { readonly timeoutMs: number }) =>
      vault.isAway
        ? Promise.reject(new AppError("unavailable", "the simulated vault is away", { work: "not_done" }))
        : callOver({ life, faults }, { timeoutMs, serve: (reply) => reply({ ...answer, fingerprint: `fp_${token}` }) }),
  };
  return client as unknown as Client<typeof VaultService>;
}
