/**
 * Holds one stack: starts its parts, watches them, and drains them in order at the end.
 *
 * Invariants: whatever was started is in `run.json` before anything else happens to it, so that `down` finds it even when this process is
 * killed; parts end in `drainOrder`, servers after our own processes, PostgreSQL last.
 */
import { describeProcess, isRunning, type KnownProcess } from "../processes.ts";
import { type Child, lastLines, startChild, untilReady } from "./child.ts";
import { drainOrder, type Service, type ServiceName } from "./services.ts";
import { clearState, writeRunFile } from "./state-files.ts";
import { stopInOrder } from "./stop.ts";

export type ServerName = "redis" | "nats" | "postgres";

const serverOrder: readonly ServerName[] = ["redis", "nats", "postgres"];
const readyTimeoutMs = 60_000;
const serverWatchMs = 1_000;
const restartsMax = 10;
const restartWindowMs = 60_000;

type Start = { readonly service: Service; readonly env: NodeJS.ProcessEnv };

export class Supervisor {
  readonly #directory: string;
  readonly #logFolder: string;
  readonly #self: KnownProcess = describeProcess("supervisor", process.pid);
  readonly #children = new Map<ServiceName, Child>();
  readonly #starts = new Map<ServiceName, Start>();
  /** Their end is somebody's intention. */
  readonly #doomed = new Set<Child>();
  /** Their end is told to whoever called `startAgain`. */
  readonly #startingAgain = new Set<Child>();
  readonly #servers = new Map<ServerName, KnownProcess>();
  readonly #restartedAtMs: number[] = [];
  readonly #failed = Promise.withResolvers<string>();
  readonly #notice: (line: string) => void;
  readonly #restarts: boolean;
  #watch: NodeJS.Timeout | undefined;
  #isStopping = false;
  /** Called after a restart, when process ids have changed. */
  onChange: () => void = () => undefined;

  constructor(o: { directory: string; logFolder: string; restarts: boolean; notice: (line: string) => void }) {
    this.#directory = o.directory;
    this.#logFolder = o.logFolder;
    this.#restarts = o.restarts;
    this.#notice = o.notice;
  }

  /** Resolves with the reason when one of our processes ends although nobody asked it to. */
  get failed(): Promise<string> {
    return this.#failed.promise;
  }

  /** In the order in which they are to be stopped. */
  get processes(): readonly KnownProcess[] {
    const services = drainOrder.flatMap((name) => this.#children.get(name)?.known ?? []);
    return [...services, ...serverOrder.flatMap((name) => this.#servers.get(name) ?? [])];
  }

  /** Takes a server that was started; `undefined` is one that somebody else runs. */
  addServer(name: ServerName, pid: number | undefined): void {
    if (pid === undefined) return;
    this.#servers.set(name, describeProcess(name, pid));
    this.#record();
  }

  /** Starts all processes at once and waits until each one is ready. */
  async startServices(starts: readonly Start[]): Promise<void> {
    for (const start of starts) this.#start(start);
    await Promise.all(starts.map(({ service }) => untilReady(this.#child(service.name), readyTimeoutMs)));
    this.#watch = setInterval(() => this.#watchServers(), serverWatchMs);
  }

  /** Drains everything in order; safe to repeat. Answers a sentence for each process that had to be killed. */
  async stop(): Promise<readonly string[]> {
    this.#isStopping = true;
    clearInterval(this.#watch);
    const complaints = await stopInOrder(this.processes);
    clearState(this.#directory);
    return complaints;
  }

  /**
   * For fault tests: the next end of this process is meant, whoever causes it. Resolves with a sentence when it has ended; nothing starts it
   * again but `startAgain`.
   */
  expectEnd(name: ServiceName): Promise<string> {
    const child = this.#child(name);
    this.#doomed.add(child);
    return child.ended;
  }

  /** For fault tests: ends a process as by kill -9 and waits until it is gone. */
  async kill(name: ServiceName): Promise<void> {
    const { known } = this.#child(name);
    const ended = this.expectEnd(name);
    if (isRunning(known)) process.kill(known.pid, "SIGKILL");
    await ended;
  }

  /**
   * Starts a process that has ended, with its environment and `env` on top for this one life, and waits until it is ready. Throws when it
   * ends before; it may be tried again then.
   */
  async startAgain(name: ServiceName, env: NodeJS.ProcessEnv = {}): Promise<void> {
    const start = this.#starts.get(name);
    if (start === undefined || !this.#child(name).hasEnded()) throw new Error(`${name} has not ended`);
    this.#start({ service: start.service, env: { ...start.env, ...env } });
    // The next life does not inherit it.
    this.#starts.set(name, start);
    this.onChange();
    const child = this.#child(name);
    this.#startingAgain.add(child);
    try {
      await untilReady(child, readyTimeoutMs);
    } finally {
      this.#startingAgain.delete(child);
    }
  }

  #child(name: ServiceName): Child {
    const child = this.#children.get(name);
    if (child === undefined) throw new Error(`${name} was never started`);
    return child;
  }

  #start(start: Start): void {
    if (this.#isStopping) throw new Error("the stack is stopping");
    const child = startChild(start.service, { logFolder: this.#logFolder, env: start.env });
    this.#children.set(start.service.name, child);
    this.#starts.set(start.service.name, start);
    this.#record();
    void child.ended.then((sentence) => this.#ended(start, child, sentence));
  }

  #ended(start: Start, child: Child, sentence: string): void {
    if (this.#isStopping || this.#doomed.delete(child) || this.#startingAgain.has(child)) return;
    this.#notice(`${sentence}\n${lastLines(child.logFile)}`);
    if (!this.#restarts || !this.#mayRestart()) {
      this.#failed.resolve(sentence);
      return;
    }
    this.#notice(`starting ${start.service.name} again`);
    this.#start(start);
    this.onChange();
  }

  #mayRestart(): boolean {
    const nowMs = Date.now();
    while (this.#restartedAtMs.length > 0 && nowMs - (this.#restartedAtMs[0] as number) > restartWindowMs) this.#restartedAtMs.shift();
    return this.#restartedAtMs.push(nowMs) <= restartsMax;
  }

  /** Servers may be away for a while, that is what the code is for: their end is told, nothing is stopped. */
  #watchServers(): void {
    for (const [name, known] of this.#servers) {
      if (isRunning(known)) continue;
      this.#servers.delete(name);
      this.#notice(`${name} (process ${known.pid}) has ended; the stack goes on without it`);
    }
  }

  #record(): void {
    writeRunFile(this.#directory, { supervisor: this.#self, processes: this.processes });
  }
}
