/** Redis emptied, asleep, killed; NATS killed, wiped, its files flipped. Both may be gone at any moment, and cost speed only. */
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { ServerName } from "../drill-stack.ts";
import { between, type Random } from "../random.ts";
import type { Fault, Strike } from "./fault.ts";

const asleepMs = { short: 5_000, full: 30_000 } as const;
const awayMs = { short: 2_500, full: 10_000 } as const;
const beforeMsMax = 800;
const flushes = 5;
const betweenFlushesMs = 300;
const lookEveryMs = 100;
const refillWaitMs = 20_000;

const lasts = ({ isShort }: Strike, times: { readonly short: number; readonly full: number }) => (isShort ? times.short : times.full);

async function flush({ stack, pause, lifted }: Strike): Promise<void> {
  const redis = new Redis(stack.up.redisUrl ?? "", { maxRetriesPerRequest: 1 });
  redis.on("error", () => undefined);
  try {
    for (let n = 0; n < flushes; n++) {
      await redis.flushall();
      await pause(betweenFlushesMs);
    }
  } finally {
    redis.disconnect();
  }
  lifted();
}

async function stopForAWhile(strike: Strike): Promise<void> {
  const pid = strike.stack.pidOf("redis");
  process.kill(pid, "SIGSTOP");
  try {
    await strike.pause(lasts(strike, asleepMs));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  strike.lifted();
}

/** It comes back without what it knew. `away`: how long nobody answers in between. */
async function killServer(strike: Strike, name: ServerName, o: { awayMs: number; whileAway?: () => void }): Promise<void> {
  const { stack, random, pause, lifted } = strike;
  await pause(between(random, 0, beforeMsMax));
  process.kill(stack.pidOf(name), "SIGKILL");
  await pause(Math.max(o.awayMs, 100));
  o.whileAway?.();
  lifted();
  await stack.startServer(name);
}

async function corruptStore(strike: Strike): Promise<void> {
  const folder = join(strike.stack.natsFolder, "jetstream");
  // The last blow may have emptied it.
  for (let waitedMs = 0; messageFiles(folder).length === 0; waitedMs += lookEveryMs) {
    if (waitedMs >= refillWaitMs) throw new Error(`no message came into ${folder}`);
    await strike.pause(lookEveryMs);
  }
  await killServer(strike, "nats", { awayMs: 0, whileAway: () => flipBits(folder, strike.random) });
}

/** Those with messages. */
function messageFiles(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".blk"));
  return files.map((name) => join(folder, name)).filter((file) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0);
}

/** One bit in the middle of each of the store's message files. */
function flipBits(folder: string, random: Random): void {
  for (const file of messageFiles(folder)) flipBit(file, between(random, 0, statSync(file).size - 1), between(random, 0, 7));
}

function flipBit(file: string, at: number, bit: number): void {
  const handle = openSync(file, "r+");
  try {
    const byte = Buffer.alloc(1);
    readSync(handle, byte, 0, 1, at);
    byte.writeUInt8(byte.readUInt8(0) ^ (1 << bit), 0);
    writeSync(handle, byte, 0, 1, at);
  } finally {
    closeSync(handle);
  }
}

const redis = { load: "storm", anchor: "C6", recoveryMsMax: 1_000, refuses: false, rounds: { short: 1, full: 5 } } as const;
const nats = { load: "mixed", anchor: "C7", recoveryMsMax: 1_000, refuses: false, rounds: { short: 1, full: 5 } } as const;

export const serverFaults: readonly Fault[] = [
  { ...redis, name: "redis_flushall", what: `FLUSHALL ${flushes} times in the middle of a storm of doubles`, strike: flush },
  {
    ...redis,
    name: "redis_stopped",
    what: "SIGSTOP in the middle of a storm of doubles: connected, and silent",
    rounds: { short: 1, full: 1 },
    strike: stopForAWhile,
  },
  {
    ...redis,
    name: "redis_killed",
    what: "kill -9 and away for a while, in the middle of a storm of doubles",
    strike: (strike) => killServer(strike, "redis", { awayMs: lasts(strike, awayMs) }),
  },
  {
    ...redis,
    name: "redis_restarted_empty",
    what: "kill -9 and back at once without its memory, in the middle of a storm of doubles",
    strike: (strike) => killServer(strike, "redis", { awayMs: 0 }),
  },
  {
    ...nats,
    name: "nats_killed",
    what: "kill -9 of nats-server, away for a while",
    strike: (strike) => killServer(strike, "nats", { awayMs: lasts(strike, awayMs) }),
  },
  {
    ...nats,
    name: "nats_wiped",
    what: "kill -9 of nats-server, and its store is gone",
    strike: (strike) => {
      const whileAway = () => rmSync(join(strike.stack.natsFolder, "jetstream"), { recursive: true });
      return killServer(strike, "nats", { awayMs: 0, whileAway });
    },
  },
  {
    ...nats,
    name: "nats_bit_flipped",
    what: "kill -9 of nats-server, and a bit in each of its message files is wrong",
    strike: corruptStore,
  },
];
