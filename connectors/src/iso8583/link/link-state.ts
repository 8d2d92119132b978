/**
 * The life of one link to a processor, as a table: phase and event in, next phase and what is to be done out. Pure; the clock and chance come
 * as arguments.
 *
 * A link carries payments only in phase `up`, which it reaches by connecting and signing on. Silence is broken by an echo; echoes without
 * an answer end the connection, and the next attempt waits, longer each time and never in step with other links. Once `closed`, always closed.
 *
 * Where links are granted (lease.ts) one without a grant is `idle` and connects to nobody. A grant that runs out makes it sign off while that may
 * still be written, and disconnect at the end in any case.
 */

export type LinkPhase =
  /** This process may not hold the link. */
  | { readonly kind: "idle" }
  /** Down; the next attempt comes at `retryAtMs`. */
  | { readonly kind: "waiting"; readonly attempts: number; readonly retryAtMs: number }
  | { readonly kind: "connecting"; readonly attempts: number; readonly untilMs: number }
  | { readonly kind: "signing_on"; readonly attempts: number; readonly untilMs: number }
  /**
   * `echoAtMs`: when silence has lasted long enough. `echoUntilMs`: when the answer to an echo is overdue. `attempts` that led here are forgotten at
   * `steadyAtMs`.
   */
  | {
      readonly kind: "up";
      readonly echoAtMs: number;
      readonly echoUntilMs: number | undefined;
      readonly missedEchoes: number;
      readonly attempts: number;
      readonly steadyAtMs: number;
    }
  /** `next`: whether we end, or only give the link away. */
  | { readonly kind: "signing_off"; readonly untilMs: number; readonly next: "idle" | "closed" }
  | { readonly kind: "closed" };

export type LinkEvent =
  /** Time has passed. */
  | { readonly kind: "tick" }
  | { readonly kind: "connected" }
  /** The connection is gone, or was never made. */
  | { readonly kind: "lost" }
  /** The answer to what we sent about the link itself. */
  | { readonly kind: "replied"; readonly to: NetworkRequest; readonly isAccepted: boolean }
  /** Any message of the processor. */
  | { readonly kind: "heard" }
  /** The processor signs us off. */
  | { readonly kind: "dismissed" }
  /** This process may hold the link. */
  | { readonly kind: "granted" }
  /** It soon may not: there is still time for a sign-off. */
  | { readonly kind: "revoked" }
  /** It may not write any more. */
  | { readonly kind: "expired" }
  /** We want to end it; nothing is under way any more. */
  | { readonly kind: "close" };

/** What is sent about the link itself (network management, class 8). */
export type NetworkRequest = "sign_on" | "echo" | "sign_off";
export type LinkEffect = "connect" | "disconnect" | NetworkRequest;

export type LinkSettings = {
  /** False: the processor takes payments without a sign-on, and gets no sign-off. */
  readonly signsOn: boolean;
  readonly connectTimeoutMs: number;
  /** Longest wait for the answer to a sign-on, a sign-off, or an echo. */
  readonly networkTimeoutMs: number;
  /** Silence after which an echo is sent. */
  readonly echoAfterMs: number;
  /** Echoes in a row without an answer that end the connection. */
  readonly missedEchoesMax: number;
  readonly retryMsMin: number;
  readonly retryMsMax: number;
};

export type Moment = { readonly nowMs: number /** In [0, 1). */; readonly random: number };
export type LinkStep = { readonly phase: LinkPhase; readonly effects: readonly LinkEffect[] };

/** A new link connects at once, where it needs no grant. */
export const firstPhase: LinkPhase = { kind: "waiting", attempts: 0, retryAtMs: Number.NEGATIVE_INFINITY };

const stay = (phase: LinkPhase): LinkStep => ({ phase, effects: [] });

export function stepLink(settings: LinkSettings, phase: LinkPhase, event: LinkEvent, moment: Moment): LinkStep {
  if (phase.kind === "closed") return stay(phase);
  if (event.kind === "close") return close(settings, phase, moment);
  if (event.kind === "revoked") return revoke(settings, phase, moment);
  if (event.kind === "expired") return expire(phase);
  if (event.kind === "lost" && phase.kind !== "idle")
    return phase.kind === "signing_off" ? end(phase.next, ["disconnect"]) : down(settings, phase, moment);
  switch (phase.kind) {
    case "idle":
      return event.kind === "granted" ? stay(firstPhase) : stay(phase);
    case "waiting":
      return event.kind === "tick" && moment.nowMs >= phase.retryAtMs ? connect(settings, phase.attempts, moment) : stay(phase);
    case "connecting":
      if (event.kind === "connected")
        return settings.signsOn ? signOn(settings, phase.attempts, moment) : comeUp(settings, phase.attempts, moment);
      return isOverdue(event, phase.untilMs, moment) ? down(settings, phase, moment) : stay(phase);
    case "signing_on":
      if (event.kind === "replied" && event.to === "sign_on" && event.isAccepted) return comeUp(settings, phase.attempts, moment);
      // A processor that refuses a sign-on, or says nothing, is asked again over a new connection.
      if (event.kind === "replied" && event.to === "sign_on") return down(settings, phase, moment);
      return isOverdue(event, phase.untilMs, moment) ? down(settings, phase, moment) : stay(phase);
    case "up":
      return whileUp(settings, phase, event, moment);
    case "signing_off":
      if (event.kind === "replied" && event.to === "sign_off") return end(phase.next, ["disconnect"]);
      return isOverdue(event, phase.untilMs, moment) ? end(phase.next, ["disconnect"]) : stay(phase);
  }
}

type Up = Extract<LinkPhase, { kind: "up" }>;

function whileUp(settings: LinkSettings, phase: Up, event: LinkEvent, moment: Moment): LinkStep {
  const { nowMs } = moment;
  switch (event.kind) {
    // Whatever was heard shows that the link lives, also an answer to an echo that refuses it.
    case "heard":
    case "replied":
      return up(settings, phase, moment);
    case "dismissed":
      return down(settings, phase, moment);
    case "tick":
      break;
    default:
      return stay(phase);
  }
  if (phase.echoUntilMs === undefined) {
    if (nowMs < phase.echoAtMs) return stay(phase);
    return { phase: { ...phase, echoUntilMs: nowMs + settings.networkTimeoutMs }, effects: ["echo"] };
  }
  if (nowMs < phase.echoUntilMs) return stay(phase);
  const missedEchoes = phase.missedEchoes + 1;
  if (missedEchoes >= settings.missedEchoesMax) return down(settings, phase, moment);
  return { phase: { ...phase, missedEchoes, echoUntilMs: nowMs + settings.networkTimeoutMs }, effects: ["echo"] };
}

function isOverdue(event: LinkEvent, untilMs: number, { nowMs }: Moment): boolean {
  return event.kind === "tick" && nowMs >= untilMs;
}

function connect({ connectTimeoutMs }: LinkSettings, attempts: number, { nowMs }: Moment): LinkStep {
  return { phase: { kind: "connecting", attempts: attempts + 1, untilMs: nowMs + connectTimeoutMs }, effects: ["connect"] };
}

function signOn({ networkTimeoutMs }: LinkSettings, attempts: number, { nowMs }: Moment): LinkStep {
  return { phase: { kind: "signing_on", attempts, untilMs: nowMs + networkTimeoutMs }, effects: ["sign_on"] };
}

/** A link that has lasted as long as the longest pause is steady: one that is lost as often costs no more attempts than one that never comes up. */
function comeUp(settings: LinkSettings, attempts: number, moment: Moment): LinkStep {
  return up(settings, { attempts, steadyAtMs: moment.nowMs + settings.retryMsMax }, moment);
}

function up({ echoAfterMs }: LinkSettings, { attempts, steadyAtMs }: Pick<Up, "attempts" | "steadyAtMs">, { nowMs }: Moment): LinkStep {
  return stay({ kind: "up", echoAtMs: nowMs + echoAfterMs, echoUntilMs: undefined, missedEchoes: 0, attempts, steadyAtMs });
}

/**
 * Attempts are counted until a link is steady: a processor that takes connections and refuses sign-ons, or signs on and hangs up, is not asked
 * without pause.
 */
function down(settings: LinkSettings, phase: LinkPhase, { nowMs, random }: Moment): LinkStep {
  if (phase.kind === "waiting") return stay(phase);
  const isSteady = phase.kind === "up" && nowMs >= phase.steadyAtMs;
  const attempts = "attempts" in phase && !isSteady ? phase.attempts : 0;
  const { retryMsMin, retryMsMax } = settings;
  const whole = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(attempts, 20));
  // Half fixed, half by chance: never at once, never in step.
  const retryAtMs = nowMs + whole / 2 + (whole / 2) * random;
  return { phase: { kind: "waiting", attempts, retryAtMs }, effects: ["disconnect"] };
}

function close(settings: LinkSettings, phase: LinkPhase, moment: Moment): LinkStep {
  return phase.kind === "signing_off" ? stay({ ...phase, next: "closed" }) : leave(settings, phase, { ...moment, next: "closed" });
}

function revoke(settings: LinkSettings, phase: LinkPhase, moment: Moment): LinkStep {
  return phase.kind === "signing_off" ? stay(phase) : leave(settings, phase, { ...moment, next: "idle" });
}

/** Without a word: nothing may be written any more. */
function expire(phase: LinkPhase): LinkStep {
  if (phase.kind === "signing_off") return end(phase.next, ["disconnect"]);
  return end("idle", hasConnection(phase) ? ["disconnect"] : []);
}

function leave(settings: LinkSettings, phase: LinkPhase, { nowMs, next }: Moment & { readonly next: "idle" | "closed" }): LinkStep {
  if (phase.kind !== "up" || !settings.signsOn) return end(next, hasConnection(phase) ? ["disconnect"] : []);
  return { phase: { kind: "signing_off", untilMs: nowMs + settings.networkTimeoutMs, next }, effects: ["sign_off"] };
}

function hasConnection({ kind }: LinkPhase): boolean {
  return kind !== "idle" && kind !== "waiting" && kind !== "closed";
}

function end(kind: "idle" | "closed", effects: readonly LinkEffect[]): LinkStep {
  return { phase: { kind }, effects };
}
