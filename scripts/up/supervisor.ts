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
    await Promise.all(starts.map(({ service }) => untilReady(this.#children.get(service.name) as Child, readyTimeoutMs)));
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

  #start(start: Start): void {
    if (this.#isStopping) throw new Error("the stack is stopping");
    const child = startChild(start.service, { logFolder: this.#logFolder, env: start.env });
    this.#children.set(start.service.name, child);
    this.#record();
    void child.ended.then((sentence) => this.#ended(start, child, sentence));
  }

  #ended(start: Start, child: Child, sentence: string): void {
    if (this.#isStopping) return;
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
