import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { firstPhase, type LinkEffect, type LinkEvent, type LinkPhase, type LinkSettings, stepLink } from "./link-state.ts";

const settings: LinkSettings = {
  signsOn: true,
  connectTimeoutMs: 3_000,
  networkTimeoutMs: 2_000,
  echoAfterMs: 30_000,
  missedEchoesMax: 3,
  retryMsMin: 100,
  retryMsMax: 10_000,
};
const unsigned: LinkSettings = { ...settings, signsOn: false };
const now = 1_000_000;
const at = (nowMs: number) => ({ nowMs, random: 0.5 });

const phases = {
  idle: { kind: "idle" },
  waiting: { kind: "waiting", attempts: 1, retryAtMs: now },
  connecting: { kind: "connecting", attempts: 1, untilMs: now },
  signing_on: { kind: "signing_on", attempts: 1, untilMs: now },
  up: { kind: "up", echoAtMs: now + 1, echoUntilMs: undefined, missedEchoes: 0, attempts: 6, steadyAtMs: now },
  signing_off: { kind: "signing_off", untilMs: now, next: "closed" },
  giving_away: { kind: "signing_off", untilMs: now, next: "idle" },
  closed: { kind: "closed" },
} as const satisfies { readonly [Kind in LinkPhase["kind"] | "giving_away"]: LinkPhase };

const events = {
  tick: { kind: "tick" },
  connected: { kind: "connected" },
  lost: { kind: "lost" },
  signed_on: { kind: "replied", to: "sign_on", isAccepted: true },
  refused: { kind: "replied", to: "sign_on", isAccepted: false },
  echoed: { kind: "replied", to: "echo", isAccepted: true },
  signed_off: { kind: "replied", to: "sign_off", isAccepted: true },
  heard: { kind: "heard" },
  dismissed: { kind: "dismissed" },
  granted: { kind: "granted" },
  revoked: { kind: "revoked" },
  expired: { kind: "expired" },
  close: { kind: "close" },
} as const satisfies Readonly<Record<string, LinkEvent>>;

/** Next phase and effects for every phase and event; deadlines of the phases are `now`. "-" is no change. */
const table: Readonly<Record<keyof typeof phases, Readonly<Record<keyof typeof events, string>>>> = {
  idle: {
    tick: "-",
    connected: "-",
    lost: "-",
    signed_on: "-",
    refused: "-",
    echoed: "-",
    signed_off: "-",
    heard: "-",
    dismissed: "-",
    granted: "waiting",
    revoked: "-",
    expired: "-",
    close: "closed",
  },
  waiting: {
    tick: "connecting connect",
    connected: "-",
    lost: "-",
    signed_on: "-",
    refused: "-",
    echoed: "-",
    signed_off: "-",
    heard: "-",
    dismissed: "-",
    granted: "-",
    revoked: "idle",
    expired: "idle",
    close: "closed",
  },
  connecting: {
    tick: "waiting disconnect",
    connected: "signing_on sign_on",
    lost: "waiting disconnect",
    signed_on: "-",
    refused: "-",
    echoed: "-",
    signed_off: "-",
    heard: "-",
    dismissed: "-",
    granted: "-",
    revoked: "idle disconnect",
    expired: "idle disconnect",
    close: "closed disconnect",
  },
  signing_on: {
    tick: "waiting disconnect",
    connected: "-",
    lost: "waiting disconnect",
    signed_on: "up",
    refused: "waiting disconnect",
    echoed: "-",
    signed_off: "-",
    heard: "-",
    dismissed: "-",
    granted: "-",
    revoked: "idle disconnect",
    expired: "idle disconnect",
    close: "closed disconnect",
  },
  up: {
    tick: "-",
    connected: "-",
    lost: "waiting disconnect",
    signed_on: "up",
    refused: "up",
    echoed: "up",
    signed_off: "up",
    heard: "up",
    dismissed: "waiting disconnect",
    granted: "-",
    revoked: "signing_off sign_off",
    expired: "idle disconnect",
    close: "signing_off sign_off",
  },
  signing_off: {
    tick: "closed disconnect",
    connected: "-",
    lost: "closed disconnect",
    signed_on: "-",
    refused: "-",
    echoed: "-",
    signed_off: "closed disconnect",
    heard: "-",
    dismissed: "-",
    granted: "-",
    revoked: "-",
    expired: "closed disconnect",
    close: "-",
  },
  giving_away: {
    tick: "idle disconnect",
    connected: "-",
    lost: "idle disconnect",
    signed_on: "-",
    refused: "-",
    echoed: "-",
    signed_off: "idle disconnect",
    heard: "-",
    dismissed: "-",
    granted: "-",
    revoked: "-",
    expired: "idle disconnect",
    close: "signing_off",
  },
  closed: {
    tick: "-",
    connected: "-",
    lost: "-",
    signed_on: "-",
    refused: "-",
    echoed: "-",
    signed_off: "-",
    heard: "-",
    dismissed: "-",
    granted: "-",
    revoked: "-",
    expired: "-",
    close: "-",
  },
};

const lines = Object.entries(table).flatMap(([phase, row]) => Object.entries(row).map(([event, next]) => [phase, event, next] as const));

test.each(lines)("%s and %s: %s", (phaseName, eventName, expected) => {
  const phase = phases[phaseName as keyof typeof phases];
  const { phase: next, effects } = stepLink(settings, phase, events[eventName as keyof typeof events], at(now));
  if (expected === "-") expect([next, effects]).toEqual([phase, []]);
  else expect([next.kind, ...effects].join(" ")).toBe(expected);
});

describe("time", () => {
  test("attempts wait longer each time, up to the limit, between half and whole by chance", () => {
    const delays = [1, 2, 3, 7, 30].map((attempts) => {
      const from = { kind: "connecting", attempts, untilMs: now } as const;
      return [0, 0.999].map((random) => {
        const { phase } = stepLink(settings, from, { kind: "lost" }, { nowMs: now, random });
        return phase.kind === "waiting" ? Math.round(phase.retryAtMs - now) : Number.NaN;
      });
    });
    expect(delays).toEqual([
      [100, 200],
      [200, 400],
      [400, 800],
      [5_000, 9_995],
      [5_000, 9_995],
    ]);
  });

  test("a link that was up tries again soon, one that is refused does not", () => {
    const lost = stepLink(settings, phases.up, { kind: "lost" }, at(now)).phase;
    expect(lost).toMatchObject({ kind: "waiting", attempts: 0, retryAtMs: now + 75 });
    const refused = stepLink(settings, { ...phases.signing_on, attempts: 6 }, events.refused, at(now)).phase;
    expect(refused).toMatchObject({ kind: "waiting", attempts: 6 });
  });

  test("a processor that signs on and hangs up is left alone for longer each time", () => {
    let phase: LinkPhase = firstPhase;
    let nowMs = now;
    const pauses: number[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      for (const event of [events.tick, events.connected, events.signed_on, events.heard, events.lost])
        phase = stepLink(settings, phase, event, at(nowMs)).phase;
      const retryAtMs = phase.kind === "waiting" ? phase.retryAtMs : Number.NaN;
      pauses.push(retryAtMs - nowMs);
      nowMs = retryAtMs;
    }
    expect(pauses).toEqual([150, 300, 600, 1_200, 2_400, 4_800, 7_500, 7_500]);
  });

  test("silence is broken by echoes, and the third without an answer ends the connection", () => {
    let phase: LinkPhase = { ...phases.up, echoAtMs: now };
    const seen: [number, string][] = [];
    for (let nowMs = now; phase.kind === "up"; nowMs += 500) {
      const step = stepLink(settings, phase, { kind: "tick" }, at(nowMs));
      phase = step.phase;
      for (const effect of step.effects) seen.push([nowMs - now, effect]);
    }
    expect(seen).toEqual([
      [0, "echo"],
      [2_000, "echo"],
      [4_000, "echo"],
      [6_000, "disconnect"],
    ]);
  });

  test("anything that is heard postpones the echo and forgets the missed ones", () => {
    const missing: LinkPhase = { ...phases.up, echoAtMs: now - 9, echoUntilMs: now + 5, missedEchoes: 2 };
    expect(stepLink(settings, missing, { kind: "heard" }, at(now)).phase).toEqual({
      ...phases.up,
      echoAtMs: now + 30_000,
    });
  });
});

test("a link that is given away and then ended stays closed", () => {
  const ended = stepLink(settings, phases.giving_away, { kind: "close" }, at(now - 1)).phase;
  expect(stepLink(settings, ended, events.signed_off, at(now)).phase.kind).toBe("closed");
});

test("without a sign-on a link is up when it is connected, and closes without a sign-off", () => {
  expect(stepLink(unsigned, phases.connecting, events.connected, at(now)).phase.kind).toBe("up");
  expect(stepLink(unsigned, phases.up, { kind: "close" }, at(now))).toEqual({ phase: { kind: "closed" }, effects: ["disconnect"] });
  expect(stepLink(unsigned, phases.up, { kind: "revoked" }, at(now))).toEqual({ phase: { kind: "idle" }, effects: ["disconnect"] });
});

test("whatever happens in whatever order, payments flow only over a connection that was signed on, and never after the end", () => {
  const names = Object.keys(events) as (keyof typeof events)[];
  const anyHistory = fc.array(fc.tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: 8_000 })), { maxLength: 200 });
  fc.assert(
    fc.property(anyHistory, (history) => {
      let phase: LinkPhase = firstPhase;
      let nowMs = now;
      let isConnected = false;
      let isSignedOn = false;
      let isClosing = false;
      for (const [name, passedMs] of history) {
        nowMs += passedMs;
        const isReal = isPossible(name, phase, isConnected);
        if (!isReal) continue;
        if (name === "connected") isConnected = true;
        if (name === "signed_on" && phase.kind === "signing_on") isSignedOn = true;
        if (name === "close") isClosing = true;
        const step = stepLink(settings, phase, events[name], at(nowMs));
        phase = step.phase;
        if (name === "lost") isConnected = isSignedOn = false;
        for (const effect of step.effects as LinkEffect[]) {
          if (effect === "disconnect") isConnected = isSignedOn = false;
          if (effect === "connect") expect(isConnected || isClosing).toBe(false);
          if (effect === "echo" || effect === "sign_off") expect(isSignedOn).toBe(true);
          if (effect === "sign_on") expect(isConnected).toBe(true);
        }
        if (phase.kind === "up") expect(isSignedOn).toBe(true);
        if (phase.kind === "idle" || phase.kind === "closed") expect(isConnected).toBe(false);
        if (name === "expired") expect(step.effects.filter((effect) => effect !== "disconnect")).toEqual([]);
        if (isClosing) expect(["signing_off", "closed"]).toContain(phase.kind);
      }
    }),
  );
});

/** A socket connects only while we connect; a processor speaks only over a connection. */
function isPossible(name: keyof typeof events, phase: LinkPhase, isConnected: boolean): boolean {
  if (["tick", "close", "granted", "revoked", "expired"].includes(name)) return true;
  if (name === "connected") return phase.kind === "connecting" && !isConnected;
  if (name === "lost") return isConnected || phase.kind === "connecting";
  return isConnected;
}
