/** Says what became of comparing totals: counted always, and written down where people have to look. */
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { RegistryEvents } from "../registry.ts";

type Result = Parameters<RegistryEvents["onTotals"]>[1];
type Compared = Exclude<Result, { kind: "given_up" }>;

export function createTotalsReport(o: {
  readonly metrics: Pick<Metrics, "count">;
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
}): RegistryEvents["onTotals"] {
  return (connector, result) => {
    o.metrics.count("connectors_totals_total", { connector, result: result.kind });
    if (result.kind === "given_up") o.logger.warn({ connector, windows: result.windows }, "totals were given up: too many operations");
    else if (result.kind === "different") o.logger.error(factsOf(connector, result), "totals differ from the processor's");
    else if (result.kind !== "balanced") o.logger.info(factsOf(connector, result), "totals are not balanced yet");
  };
}

function factsOf(connector: string, { totals, ...compared }: Compared): Record<string, unknown> {
  const { terminal, currency, fromMs, untilMs } = totals;
  const window = { connector, terminal, currency, from: new Date(fromMs).toISOString(), until: new Date(untilMs).toISOString() };
  const sums = { ours: words(totals.approved), open: words(totals.open) };
  return { ...window, result: compared.kind, ...sums, ...("theirs" in compared ? { theirs: words(compared.theirs) } : {}) };
}

/** "debit 2/4000": how many, and their sum in minor units. */
function words(sums: Compared["totals"]["approved"]): string {
  return Object.entries(sums)
    .filter(([, { count }]) => count > 0)
    .map(([kind, { count, amount }]) => `${kind} ${count}/${amount}`)
    .join(", ");
}
