/**
 * Grants the live links of one processor while this replica leads: one round after the other, each at most one call (docs/decisions/0010).
 *
 * A replica may have lost its lock without knowing it. So no grant leaves before the store has said that no later term was taken; and the
 * moment that a grant counts from was heard before that. Whoever takes the next term and then waits for one validity can be sure.
 */
import type { Metrics } from "@florin/runtime/telemetry";
import type { GrantAnswer, LinkClient } from "../clients/link-client.ts";
import { afterGrant, beginTerm, type GrantRules, type GrantState, nextMove, type Seen } from "../domain/links/index.ts";
import type { LinkTerms } from "../store/link-terms.ts";

export type LinkGranter = {
  /** Takes a term of its own. Call it after every election. */
  begin(): Promise<void>;
  /** "deposed": somebody else grants. Rejects with AppError when the store or the connectors cannot be reached; nothing was granted then, or is unknown. */
  round(): Promise<"granted" | "waiting" | "deposed">;
};

export type LinkGranterParts = {
  readonly connector: string;
  readonly terms: LinkTerms;
  readonly client: LinkClient;
  readonly rules: GrantRules;
  /** A clock that never jumps, ms. */
  readonly monotonicMs: () => number;
  readonly metrics: Pick<Metrics, "count">;
};

export function createLinkGranter(o: LinkGranterParts): LinkGranter {
  const { connector, terms, client, rules, monotonicMs, metrics } = o;
  let state: GrantState | undefined;
  let seen: Seen | undefined;

  const hear = (answer: GrantAnswer): void => {
    seen = { processId: answer.processId, clockMs: answer.clockMs, receivedAtMs: monotonicMs() };
  };

  const handOver = async (current: GrantState, { processId }: Seen): Promise<GrantState | undefined> => {
    const term = await terms.handOver(connector, { term: current.term, holder: processId });
    if (term === undefined) return undefined;
    metrics.count("switch_link_terms_total", { connector, reason: "hand_over" });
    return { ...current, term, holder: processId };
  };

  /** The state under which a grant may leave; undefined: not any more. */
  const confirmed = async (current: GrantState, move: "grant" | "hand_over", to: Seen): Promise<GrantState | undefined> => {
    if (move === "hand_over") return handOver(current, to);
    return (await terms.isLatest(connector, current.term)) ? current : undefined;
  };

  return {
    async begin() {
      const before = state;
      const begun = await terms.begin(connector);
      state = beginTerm(rules, begun, before, monotonicMs());
      metrics.count("switch_link_terms_total", { connector, reason: "lead" });
    },
    async round() {
      if (state === undefined) throw new Error("a round comes after begin");
      const move = nextMove(state, seen, monotonicMs());
      if (seen === undefined || move === "ask" || move === "wait") {
        hear(await client.ask(connector));
        return "waiting";
      }
      const to = seen;
      const current = await confirmed(state, move, to);
      if (current === undefined) return "deposed";
      // Before it leaves: whatever becomes of the call, the grant may be there.
      state = afterGrant(rules, current, to);
      seen = undefined;
      const { processId, clockMs } = to;
      const answer = await client.grant(connector, { term: state.term, validForMs: rules.validForMs, processId, clockMs });
      hear(answer);
      if (answer.result === "lower_term") return "deposed";
      return answer.result === "held" ? "granted" : "waiting";
    },
  };
}
