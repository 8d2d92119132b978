/**
 * A crowd of clients, a process of its own: `fork(crowd-process.ts)`, a plan comes over IPC, marks and a result go back.
 *
 * Raw HTTP/1.1 over keep-alive connections, one request in flight on each. A client that is sent away comes again with its key when
 * Retry-After says so, a few times; then it gives up. When the time is over, everybody leaves: what is in flight is still waited for.
 */
import { build } from "hdr-histogram-js";
import { type Answer, Lane } from "../bench/lane.ts";
import type { Latency } from "../bench/plan.ts";
import { requestMaker } from "../bench/request.ts";
import type { CrowdPlan, CrowdResult, FromCrowd, Second } from "./plan.ts";

const tickMs = 1;
const lanesMax = 4_096;
const lastAnswersMs = 20_000;
/** So long a crowd makes its connections, some thousand at once: what a no takes is looked at from then on. */
const connectingMs = 3_000;
const complaintsMax = 5;
const latencyMicrosMax = 120_000_000;
/** A client that is told to wait for no time at all still takes a breath. */
const retryMsMin = 100;
const lateMs = 1_000;
const idPattern = /"id":"(pay_[0-9a-z]{26})"/;

type MutableSecond = { -readonly [Name in keyof Second]: Second[Name] };
type Client = { readonly number: number; tries: number; dueAtMs: number };

const histogram = () => build({ lowestDiscernibleValue: 1, highestTrackableValue: latencyMicrosMax, numberOfSignificantValueDigits: 3 });

class Crowd {
  readonly #plan: CrowdPlan;
  readonly #request: (number: number) => string;
  readonly #free: Lane[] = [];
  readonly #lanes: Lane[] = [];
  readonly #clientOf = new Map<Lane, Client>();
  #waiting: Client[] = [];
  /** Clients that come again, by the tick in which they do. */
  readonly #returning = new Map<number, Client[]>();
  readonly #startedAtMs = performance.now();
  #ticked = 0;
  #clients = 0;
  #measuringSinceMs: number | undefined;
  #isOver = false;
  readonly #sum = {
    clients: 0,
    requests: 0,
    accepted: 0,
    acceptedLate: 0,
    sentAway: 0,
    limited: 0,
    gaveUp: 0,
    retryAfterMs: 0,
    waitingMost: 0,
  };
  readonly #others: Record<string, number> = {};
  readonly #acceptedMs = histogram();
  readonly #sentAwayMs = histogram();
  readonly #seconds: MutableSecond[] = [];
  readonly #payments: [number, string][] = [];
  readonly #complaints: string[] = [];

  constructor(plan: CrowdPlan) {
    this.#plan = plan;
    this.#request = requestMaker(plan);
  }

  async run(): Promise<CrowdResult> {
    const { pace, warmUpSeconds, seconds } = this.#plan;
    const clock = setInterval(() => this.#tick(), tickMs);
    if (pace.kind === "saturate") for (let client = 0; client < pace.clients; client++) this.#come();
    await pause(warmUpSeconds * 1_000);
    this.#measuringSinceMs = performance.now();
    send({ kind: "measuring" });
    const cpu = process.cpuUsage();
    await pause(seconds * 1_000);
    const measuredSeconds = (performance.now() - this.#measuringSinceMs) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const result = this.#result(measuredSeconds, (user + system) / 1e6 / measuredSeconds);
    send({ kind: "measured" });
    this.#isOver = true;
    clearInterval(clock);
    await this.#lastAnswers();
    for (const lane of this.#lanes) lane.close();
    return result;
  }

  #tick(): void {
    const nowMs = performance.now();
    const { pace } = this.#plan;
    const elapsedMs = nowMs - this.#startedAtMs;
    if (pace.kind === "rate") {
      const due = Math.floor((elapsedMs / 1_000) * pace.perSecond);
      while (this.#clients < due) this.#come(this.#startedAtMs + ((this.#clients + 1) * 1_000) / pace.perSecond);
    }
    for (; this.#ticked <= elapsedMs; this.#ticked++) {
      const back = this.#returning.get(this.#ticked);
      if (back === undefined) continue;
      this.#returning.delete(this.#ticked);
      for (const client of back) this.#knock(client, this.#startedAtMs + this.#ticked);
    }
  }

  #come(dueAtMs = performance.now()): void {
    this.#clients += 1;
    if (this.#measuringSinceMs !== undefined) this.#sum.clients += 1;
    this.#knock({ number: this.#clients, tries: 0, dueAtMs }, dueAtMs);
  }

  #knock(client: Client, dueAtMs: number): void {
    client.dueAtMs = dueAtMs;
    client.tries += 1;
    const lane = this.#free.pop() ?? this.#newLane();
    if (lane !== undefined) this.#send(lane, client);
    else this.#sum.waitingMost = Math.max(this.#sum.waitingMost, this.#waiting.push(client));
  }

  #newLane(): Lane | undefined {
    if (this.#lanes.length >= lanesMax) return undefined;
    const { host, port } = this.#plan;
    const lane = new Lane({ host, port, onAnswer: (answered, answer) => this.#onAnswer(answered, answer) });
    this.#lanes.push(lane);
    return lane;
  }

  #send(lane: Lane, client: Client): void {
    this.#clientOf.set(lane, client);
    lane.send(this.#request(client.number), client.dueAtMs);
  }

  #onAnswer(lane: Lane, answer: Answer): void {
    const nowMs = performance.now();
    const client = this.#clientOf.get(lane) as Client;
    this.#clientOf.delete(lane);
    const { status } = answer;
    if (status === 201) this.#note(client, answer);
    if (this.#measuringSinceMs !== undefined && !this.#isOver) this.#count(status, nowMs - client.dueAtMs, answer, nowMs);
    const waiting = this.#waiting.shift();
    if (waiting !== undefined && !this.#isOver) this.#send(lane, waiting);
    else this.#free.push(lane);
    if (this.#isOver) return;
    if (status === 503 || status === 429) this.#comeAgain(client, answer, nowMs);
    else if (this.#plan.pace.kind === "saturate") this.#come();
  }

  #note({ number }: Client, answer: Answer): void {
    const id = idPattern.exec(answer.body())?.[1];
    if (id !== undefined) this.#payments.push([number, id]);
  }

  #comeAgain(client: Client, answer: Answer, nowMs: number): void {
    const isSaturating = this.#plan.pace.kind === "saturate";
    if (client.tries > this.#plan.retriesMax && !isSaturating) {
      if (this.#measuringSinceMs !== undefined) this.#sum.gaveUp += 1;
      return;
    }
    const tick = Math.max(this.#ticked, Math.ceil(nowMs + Math.max(retryMsMin, answer.retryAfterMs()) - this.#startedAtMs));
    const others = this.#returning.get(tick);
    if (others === undefined) this.#returning.set(tick, [client]);
    else others.push(client);
  }

  #count(status: number, latencyMs: number, answer: Answer, nowMs: number): void {
    const sum = this.#sum;
    sum.requests += 1;
    const second = this.#secondOf(nowMs);
    const micros = Math.min(Math.max(1, Math.round(latencyMs * 1_000)), latencyMicrosMax);
    if (status === 201) {
      sum.accepted += 1;
      if (latencyMs > lateMs) sum.acceptedLate += 1;
      second.accepted += 1;
      second.acceptedMsWorst = Math.max(second.acceptedMsWorst, latencyMs);
      this.#acceptedMs.recordValue(micros);
      return;
    }
    second.notAccepted += 1;
    if (status === 503 && answer.retryAfterMs() > 0) {
      sum.sentAway += 1;
      sum.retryAfterMs += answer.retryAfterMs();
      if (nowMs - this.#startedAtMs > connectingMs) this.#sentAwayMs.recordValue(micros);
      // A full house is what is looked for; another reason is worth a word.
      if (!answer.body().includes('"overloaded"')) this.#complain(status, answer);
    } else if (status === 429) sum.limited += 1;
    else {
      this.#others[status] = (this.#others[status] ?? 0) + 1;
      this.#complain(status, answer);
    }
  }

  #complain(status: number, answer: Answer): void {
    if (this.#complaints.length < complaintsMax) this.#complaints.push(`${status} ${answer.body().slice(0, 200)}`);
  }

  #secondOf(nowMs: number): MutableSecond {
    const index = Math.floor((nowMs - (this.#measuringSinceMs ?? nowMs)) / 1_000);
    while (this.#seconds.length <= index) this.#seconds.push({ accepted: 0, notAccepted: 0, acceptedMsWorst: 0 });
    return this.#seconds[index] as MutableSecond;
  }

  #result(seconds: number, cpuShare: number): CrowdResult {
    const { retryAfterMs, ...sum } = this.#sum;
    return {
      ...sum,
      seconds,
      cpuShare,
      others: { ...this.#others },
      acceptedMs: latencyOf(this.#acceptedMs),
      sentAwayMs: latencyOf(this.#sentAwayMs),
      bySecond: this.#seconds.slice(0, Math.floor(seconds)),
      retryAfterMsMean: sum.sentAway === 0 ? 0 : retryAfterMs / sum.sentAway,
      payments: this.#payments,
      complaints: this.#complaints,
    };
  }

  async #lastAnswers(): Promise<void> {
    for (let waitedMs = 0; this.#clientOf.size > 0 && waitedMs < lastAnswersMs; waitedMs += 20) await pause(20);
  }
}

function latencyOf(recorded: ReturnType<typeof histogram>): Latency {
  if (recorded.totalCount === 0) return { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  const at = (percentile: number) => recorded.getValueAtPercentile(percentile) / 1_000;
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: recorded.maxValue / 1_000 };
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

function send(message: FromCrowd): void {
  process.send?.(message);
}

// A crowd that leads a session of its own hears no Ctrl-C: it ends with the drill.
process.once("disconnect", () => process.exit());
process.once("message", async (plan: CrowdPlan) => {
  const result: FromCrowd = { kind: "result", result: await new Crowd(plan).run() };
  // A long message leaves in pieces: the channel stays open until the last.
  process.send?.(result, undefined, undefined, () => process.disconnect());
});
