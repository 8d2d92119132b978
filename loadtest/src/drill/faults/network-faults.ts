/** Bad weather between two of our processes: every kind on every link in the full drill, every kind and every link once in the short one. */
import { type LinkName, linkNames } from "../drill-stack.ts";
import { clear, type Weather } from "../network/weather.ts";
import type { Fault, Strike } from "./fault.ts";

const lastsMs = { short: 2_500, full: 8_000 } as const;

const kinds: readonly { readonly name: string; readonly what: string; readonly weather: Weather }[] = [
  { name: "jitter", what: "late by 20 to 220 ms, 5 % lost", weather: { kind: "latency", delayMs: 20, jitterMs: 200, lossRatio: 0.05 } },
  { name: "half_open", what: "nothing passes and nothing ends", weather: { kind: "half_open" } },
  { name: "one_way_out", what: "the server hears nothing", weather: { kind: "one_way", silent: "to_server" } },
  { name: "one_way_back", what: "the server's words are lost", weather: { kind: "one_way", silent: "to_client" } },
  { name: "reset", what: "each connection is reset within 16 KiB", weather: { kind: "reset", bytesMax: 16_384 } },
  { name: "drip", what: "1 KiB a second", weather: { kind: "drip", bytesPerSecond: 1_024 } },
  { name: "cut", what: "no connection lives", weather: { kind: "cut" } },
];

async function storm(link: LinkName, weather: Weather, { stack, isShort, pause, lifted }: Strike): Promise<void> {
  const proxy = stack.links[link];
  if (proxy.connections === 0) throw new Error(`nobody uses the link ${link}`);
  proxy.set(weather);
  try {
    await pause(isShort ? lastsMs.short : lastsMs.full);
  } finally {
    proxy.set(clear);
  }
  lifted();
}

export const networkFaults: readonly Fault[] = kinds.flatMap(({ name, what, weather }, index) =>
  linkNames.map(
    (link, other): Fault => ({
      name: `net_${name}_${link}`,
      anchor: "C10",
      what: `${link.replace("_", " to ")}: ${what}`,
      load: "mixed",
      rounds: { short: index % linkNames.length === other ? 1 : 0, full: 1 },
      // A half-open link is found out by a ping, and a connection is tried again with a growing pause.
      recoveryMsMax: 10_000,
      refuses: false,
      strike: (strike) => storm(link, weather, strike),
    }),
  ),
);
