/**
 * Takes grants of live links for this process (docs/decisions/0010).
 *
 * A grant names the process that it is for and the moment on that process' clock that it counts from; whoever grants learns both from the answers.
 * So a grant that was meant for the process that stood here before, or that was on its way for long, gives nothing.
 */
import { invalid } from "@florin/kernel";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { LinkGrantResult } from "../contract/connector.ts";
import type { Registry } from "../registry.ts";

export type GrantRequest = {
  readonly connector: string;
  readonly term: bigint;
  readonly validForMs: number;
  /** Empty: a question. */
  readonly processId: string;
  /** On the clock of the process that is meant, ms. */
  readonly clockMs: number;
};
export type GrantAnswer = {
  readonly result: LinkGrantResult | "other_process" | "asked";
  readonly processId: string;
  readonly clockMs: number;
  /** The highest one so far; 0 before the first. */
  readonly term: bigint;
};
export type LinkGrants = {
  /** Throws when the connector has no live links, or when the grant counts from the future. Safe to repeat. */
  grant(request: GrantRequest): GrantAnswer;
};

export function createLinkGrants(o: {
  readonly registry: Registry;
  /** Another one after each start. */
  readonly processId: string;
  /** A clock that never jumps, ms; the one that leases go by. */
  readonly monotonicMs: () => number;
  readonly metrics: Pick<Metrics, "count">;
  readonly logger: Logger;
}): LinkGrants {
  const terms = new Map<string, bigint>();
  const take = (request: GrantRequest, nowMs: number): Pick<GrantAnswer, "result" | "term"> => {
    const { connector, term, processId, clockMs: fromMs, validForMs } = request;
    const takeGrant = o.registry.get(connector)?.takeLinkGrant;
    if (takeGrant === undefined) throw invalid("parameter_invalid", "there is no such connector with live links here", "connector");
    const seen = terms.get(connector) ?? 0n;
    if (processId === "") return { result: "asked", term: seen };
    if (processId !== o.processId) return { result: "other_process", term: seen };
    if (fromMs > nowMs) throw invalid("parameter_invalid", "clock_ms is in the future of this process", "clock_ms");
    const taken = takeGrant({ term, fromMs, validForMs });
    terms.set(connector, taken.term);
    if (taken.term > seen) o.logger.info({ connector, term: String(term), result: taken.result }, "links are granted under a new term");
    return taken;
  };
  return {
    grant(request) {
      const nowMs = o.monotonicMs();
      const { result, term } = take(request, nowMs);
      if (result !== "asked") o.metrics.count("connectors_link_grants_total", { connector: request.connector, result });
      // Rounded down: a grant may count from earlier than this answer, never from later.
      return { result, term, processId: o.processId, clockMs: Math.floor(nowMs) };
    },
  };
}
