/** Bad days of the acquirer, by rules of the simulator. Its books stay right: that is what everything is compared with. */
import type { Fault, Strike } from "./fault.ts";

const lastsMs = { short: 2_000, full: 20_000 } as const;

type Rule = Readonly<Record<string, unknown>>;
type Kind = { readonly name: string; readonly what: string; readonly rules: readonly Rule[]; readonly untilSettled?: readonly Rule[] };

const kinds: readonly Kind[] = [
  {
    name: "timeout_after_charge",
    what: "two of five are charged and never answered",
    rules: [{ fault: "timeout_after_charge", probability: 0.4, delay_ms: 5_000 }],
  },
  { name: "stall", what: "every second answer takes 5 s", rules: [{ fault: "delay", probability: 0.5, delay_ms: 5_000 }] },
  {
    name: "reset_after_body",
    what: "every second request is booked and its connection reset",
    rules: [{ fault: "reset_after_approval", probability: 0.5 }],
  },
  { name: "garbage", what: "every second answer is 200 and no JSON", rules: [{ fault: "garbage", probability: 0.5 }] },
  { name: "duplicate_answers", what: "every second answer comes twice", rules: [{ fault: "duplicate_answer", probability: 0.5 }] },
  { name: "outage", what: "503 to everything, nothing booked", rules: [{ fault: "outage" }] },
  {
    name: "contradictory_queries",
    what: "half of all is booked and not answered, and every second query denies it",
    rules: [{ fault: "reset_after_approval", probability: 0.5, match: { operation: "authorization" } }],
    untilSettled: [{ fault: "denied_query", probability: 0.5 }],
  },
];

async function badDay(kind: Kind, { stack, isShort, pause, lifted }: Strike): Promise<void> {
  const ids: number[] = [];
  for (const rule of kind.rules) ids.push(await stack.addRule(rule));
  // Whoever settles removes these: an operation that is in doubt is asked about for half a minute.
  for (const rule of kind.untilSettled ?? []) await stack.addRule(rule);
  try {
    await pause(isShort ? lastsMs.short : lastsMs.full);
    for (const id of ids) if ((await stack.timesHappened(id)) === 0) throw new Error("no request met the fault");
  } finally {
    await stack.removeRules(ids);
  }
  lifted();
}

export const acquirerFaults: readonly Fault[] = kinds.map((kind) => ({
  name: `acquirer_${kind.name}`,
  anchor: "C9",
  what: kind.what,
  load: "mixed",
  rounds: { short: 1, full: 3 },
  recoveryMsMax: 5_000,
  refuses: false,
  strike: (strike) => badDay(kind, strike),
}));
