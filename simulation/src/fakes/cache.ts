/** Redis as the claims see it: the three scripts over one map, and a server that is away, forgets, or fails over to a copy that is behind. */
import { AppError } from "@florin/kernel";
import type { ClaimCache } from "@florin/switch/src/store/claims.ts";
import type { Life } from "../engine/life.ts";
import type { World } from "../engine/world.ts";
import type { Faults } from "../faults.ts";

/** Of a counter of ids: when each is forgotten. */
type Counted = ReadonlyMap<string, number>;
type Entry = { readonly value: string | number | Counted; readonly untilMs: number };

/** Milliseconds. */
const roundTripMs = { min: 0.1, max: 1 };
const commandTimeoutMs = 500;

export class CacheServer {
  isAway = false;
  readonly #world: World;
  readonly #whenReady: (() => void)[] = [];
  #entries = new Map<string, Entry>();
  #copy: ReadonlyMap<string, Entry> = new Map();

  constructor(world: World) {
    this.#world = world;
  }

  empty(): void {
    this.#entries.clear();
  }

  /** What a replica that is promoted later will have. */
  copy(): void {
    this.#copy = new Map(this.#entries);
  }

  goAway(): void {
    this.isAway = true;
  }

  comeBack(): void {
    this.isAway = false;
    for (const run of this.#whenReady) run();
  }

  onReady(run: () => void): void {
    this.#whenReady.push(run);
  }

  failOver(): void {
    this.#entries = new Map(this.#copy);
  }

  /** SET key value NX GET PX. The earlier value, or undefined when it was set. */
  setIfAbsent(key: string, value: string, lifetimeMs: number): string | undefined {
    const earlier = this.get(key);
    if (earlier !== undefined) return String(earlier);
    this.set(key, value, lifetimeMs);
    return undefined;
  }

  get(key: string): Entry["value"] | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.untilMs > this.#world.nowMs ? entry.value : undefined;
  }

  set(key: string, value: string | Counted, lifetimeMs: number): void {
    this.#entries.set(key, { value, untilMs: this.#world.nowMs + lifetimeMs });
  }

  /** INCR, and PEXPIRE when it is the first. */
  increment(name: string, window: number): number {
    const count = Number(this.get(name) ?? 0) + 1;
    const untilMs = count === 1 ? this.#world.nowMs + window : (this.#entries.get(name) as Entry).untilMs;
    this.#entries.set(name, { value: count, untilMs });
    return count;
  }

  /** ZREMRANGEBYSCORE, ZADD, PEXPIRE and ZCARD. */
  count(name: string, id: string, window: number): number {
    const { nowMs } = this.#world;
    const lasting = [...this.countedBy(name)].filter(([, untilMs]) => untilMs > nowMs);
    const counted = new Map([...lasting, [id, nowMs + window]]);
    this.set(name, counted, window);
    return counted.size;
  }

  /** ZREM: what stays keeps its time. */
  uncount(name: string, id: string): void {
    const entry = this.#entries.get(name);
    const counted = new Map([...this.countedBy(name)].filter(([other]) => other !== id));
    if (entry !== undefined && counted.size > 0) this.#entries.set(name, { value: counted, untilMs: entry.untilMs });
    else this.delete(name);
  }

  countedBy(name: string): Counted {
    return (this.get(name) as Counted | undefined) ?? new Map();
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

export function createCacheAccess(o: { readonly life: Life; readonly server: CacheServer; readonly faults: Faults }): ClaimCache {
  const { life, server, faults } = o;
  const run = <T>(script: () => T): Promise<T> =>
    life.promise((resolve, reject) => {
      const isSilent = faults.fires("cache_silent");
      const random = life.world.random;
      life.world.schedule(random.between(roundTripMs.min, roundTripMs.max), () => {
        if (server.isAway) return reject(silence());
        // The answer is lost half the time after the script has run.
        const value = isSilent && random.chance(0.5) ? undefined : script();
        if (isSilent) life.after(commandTimeoutMs, () => reject(silence()));
        else resolve(value as T);
      });
    });
  return {
    isUp: () => !server.isAway,
    onReady: (run) =>
      server.onReady(() => {
        if (!life.isOver) run();
      }),
    claim: (lifetime, words, memory) =>
      run(() => claim(server, Number(lifetime), JSON.parse(words ?? "[]") as (string | number)[], memory ?? "")),
    remember: (lifetime, words) =>
      run(() => {
        const parts = JSON.parse(words ?? "[]") as string[];
        for (let at = 0; at + 1 < parts.length; at += 2) {
          const [key, value] = [parts[at] as string, parts[at + 1] as string];
          if (key.startsWith("-")) server.uncount(key.slice(1), value);
          else server.set(key, value, Number(lifetime));
        }
        return parts.length;
      }),
    read: (key) => run(() => server.countedBy(key ?? "").size),
    release: (key, value) =>
      run(() => {
        if (key !== undefined && server.get(key) === value) server.delete(key);
        return 0;
      }),
  };
}

/** The claim script of claim-scripts.ts, word for word. */
function claim(server: CacheServer, lifetimeMs: number, words: readonly (string | number)[], memory: string): string {
  const answers: (string | 0 | number[])[] = [];
  let at = 0;
  while (at < words.length) {
    const earlier = server.setIfAbsent(words[at] as string, words[at + 1] as string, lifetimeMs);
    const counters = words[at + 2] as number;
    at += 3;
    if (earlier !== undefined) answers.push(earlier);
    else if (counters === 0) answers.push(0);
    else {
      const counts: number[] = [];
      for (let index = 0; index < counters; index++) {
        const [name, window, id] = words.slice(at + 3 * index) as [string, number, string];
        counts.push(id === "" ? server.increment(name, window) : server.count(name, id, window));
      }
      answers.push(counts);
    }
    at += 3 * counters;
  }
  answers.push(server.setIfAbsent("florin:memory", memory, Number.POSITIVE_INFINITY) ?? memory);
  return JSON.stringify(answers);
}

function silence(): AppError {
  return new AppError("unavailable", "the simulated cache does not answer", { work: "unknown" });
}
