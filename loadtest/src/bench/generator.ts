/**
 * The load generator, a process of its own: `fork(generator.ts)`, a plan comes over IPC, marks and a result go back.
 *
 * Open loop: request i is due at start + i / rate. A request that finds no free connection waits, and its latency counts from when it was
 * due, so a server that stalls cannot hide it. The clock is looked at every millisecond.
 */
import { build } from "hdr-histogram-js";
import { type Answer, Lane } from "./lane.ts";
import type { FromGenerator, Latency, Plan, Result } from "./plan.ts";
import { requestMaker } from "./request.ts";

const tickMs = 1;
const waitingMax = 200_000;
const complaintsMax = 5;
/** After the measured time, answers are waited for this long. */
const lastAnswersMs = 15_000;
const latencyMicrosMax = 120_000_000;

type Phase = "warm_up" | "measuring" | "ending";

class Generator {
  readonly #plan: Plan;
  readonly #request: (number: number) => string;
  readonly #free: Lane[] = [];
  readonly #lanes: Lane[] = [];
  readonly #waiting: number[] = [];
  #waitingFrom = 0;
  #number = 0;
  #phase: Phase = "warm_up";
  #accepted = 0;
  #answered = 0;
  #waitingMost = 0;
  #dropped = 0;
  readonly #answers: Record<string, number> = {};
  readonly #complaints: string[] = [];
  readonly #histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: latencyMicrosMax, numberOfSignificantValueDigits: 3 });
  readonly #finished = Promise.withResolvers<void>();

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#request = requestMaker(plan);
    const lanes = plan.pace.kind === "saturate" ? plan.pace.inFlight : plan.pace.inFlightMax;
    const onAnswer = (lane: Lane, answer: Answer) => this.#onAnswer(lane, answer);
    for (let index = 0; index < lanes; index++) this.#lanes.push(new Lane({ host: plan.host, port: plan.port, onAnswer }));
    this.#free.push(...this.#lanes);
  }

  async run(): Promise<Result> {
    const plan = this.#plan;
    const ticker = plan.pace.kind === "rate" ? this.#startClock(plan.pace.perSecond) : this.#startAll();
    await pause(plan.warmUpSeconds * 1_000);
    this.#phase = "measuring";
    send({ kind: "measuring" });
    const cpu = process.cpuUsage();
    const startedAtMs = performance.now();
    await Promise.race([pause(plan.seconds * 1_000), this.#finished.promise]);
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const used = process.cpuUsage(cpu);
    const answers = this.#answered;
    const byStatus = { ...this.#answers };
    send({ kind: "measured", answers });
    this.#phase = "ending";
    clearInterval(ticker);
    await this.#lastAnswers();
    for (const lane of this.#lanes) lane.close();
    return {
      seconds,
      answers: byStatus,
      accepted: this.#accepted,
      complaints: this.#complaints,
      latencyMs: this.#latency(),
      waitingMost: this.#waitingMost,
      dropped: this.#dropped,
      generatorCpuMicros: (used.user + used.system) / Math.max(answers, 1),
    };
  }

  #startAll(): undefined {
    for (let lane = this.#free.pop(); lane !== undefined; lane = this.#free.pop()) this.#send(lane, performance.now());
  }

  #startClock(perSecond: number): NodeJS.Timeout {
    const startedAtMs = performance.now();
    let issued = 0;
    return setInterval(() => {
      const due = Math.floor(((performance.now() - startedAtMs) / 1_000) * perSecond);
      for (; issued < due; issued++) this.#begin(startedAtMs + ((issued + 1) * 1_000) / perSecond);
    }, tickMs);
  }

  #begin(intendedAtMs: number): void {
    const lane = this.#free.pop();
    if (lane !== undefined) {
      this.#send(lane, intendedAtMs);
      return;
    }
    const waiting = this.#waiting.length - this.#waitingFrom;
    if (waiting >= waitingMax) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(intendedAtMs);
    this.#waitingMost = Math.max(this.#waitingMost, waiting + 1);
  }

  #send(lane: Lane, intendedAtMs: number): void {
    lane.send(this.#request(this.#number++), intendedAtMs);
  }

  #onAnswer(lane: Lane, answer: Answer): void {
    const nowMs = performance.now();
    if (answer.status === 201) this.#accepted += 1;
    else if (this.#complaints.length < complaintsMax) this.#complaints.push(`${answer.status} ${answer.body().slice(0, 300)}`);
    if (this.#phase === "measuring") this.#count(answer.status, nowMs - lane.intendedAtMs);
    this.#next(lane, nowMs);
  }

  #count(status: number, latencyMs: number): void {
    this.#answered += 1;
    this.#answers[status] = (this.#answers[status] ?? 0) + 1;
    this.#histogram.recordValue(Math.min(Math.max(1, Math.round(latencyMs * 1_000)), latencyMicrosMax));
    if (this.#answered === this.#plan.requestsMax) this.#finished.resolve();
  }

  /** The longest waiting request, or a new one at saturation, or rest. */
  #next(lane: Lane, nowMs: number): void {
    const waiting = this.#waiting[this.#waitingFrom];
    if (waiting !== undefined && this.#phase !== "ending") {
      this.#waitingFrom += 1;
      if (this.#waitingFrom > waitingMax) {
        this.#waiting.splice(0, this.#waitingFrom);
        this.#waitingFrom = 0;
      }
      this.#send(lane, waiting);
    } else if (this.#plan.pace.kind === "saturate" && this.#phase !== "ending") this.#send(lane, nowMs);
    else this.#free.push(lane);
  }

  async #lastAnswers(): Promise<void> {
    for (let waitedMs = 0; this.#free.length < this.#lanes.length && waitedMs < lastAnswersMs; waitedMs += 20) await pause(20);
  }

  #latency(): Latency {
    const at = (percentile: number) => this.#histogram.getValueAtPercentile(percentile) / 1_000;
    return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: this.#histogram.maxValue / 1_000 };
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

function send(message: FromGenerator): void {
  process.send?.(message);
}

process.once("message", async (plan: Plan) => {
  send({ kind: "result", result: await new Generator(plan).run() });
  process.disconnect();
});
