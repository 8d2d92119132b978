/**
 * How often a processor is bothered about what it was sent already: questions, repetitions and reversals are a tenth of the operations sent to
 * it, so that a processor that does not answer gets at most 1.1 times its traffic (R94).
 *
 * Only what leaves the house counts, on both sides. An operation that was refused on the way earns nothing, or an open circuit would pay for
 * questions to a dead processor; a repetition that was refused on the way costs nothing, or it would use up what reversals need. What the
 * processor answers is given back: refunds under way are asked about as often as recovery likes. What is refused here was not asked; recovery
 * asks later, and the operation stays open until then. One budget per processor: one that is dead takes nothing from the others.
 */
import { createRetryBudget, type RetryBudget, type RetryBudgetSettings } from "@florin/runtime/resilience";
import type { Metrics } from "@florin/runtime/telemetry";

export interface RetryBudgets {
  /** An operation was sent for the first time; not for what was surely not sent. */
  earn(connector: string): void;
  /** Asks, or answers undefined without having asked. `wasInVain`: the processor was asked, or may have been, and said nothing; else it does not count. */
  within<T>(connector: string, ask: () => Promise<T>, wasInVain: (answer: T) => boolean): Promise<T | undefined>;
}

/** Connectors are named by the registry; a bound all the same. More than these share one budget. */
const budgetsMax = 256;

/** `now`: milliseconds of a clock that does not jump. `settings` are asked for each time; other ones begin with budgets of their own. */
export function createRetryBudgets(o: {
  readonly settings: () => RetryBudgetSettings;
  readonly now: () => number;
  readonly metrics: Pick<Metrics, "count">;
}): RetryBudgets {
  const budgets = new Map<string, RetryBudget>();
  let settings = o.settings();
  const budgetOf = (connector: string): RetryBudget => {
    const inForce = o.settings();
    if (inForce !== settings) {
      settings = inForce;
      budgets.clear();
    }
    const name = budgets.has(connector) || budgets.size < budgetsMax ? connector : "";
    let budget = budgets.get(name);
    if (budget === undefined) {
      budget = createRetryBudget(settings, o.now);
      budgets.set(name, budget);
    }
    return budget;
  };
  return {
    earn: (connector) => budgetOf(connector).earn(),
    async within(connector, ask, wasInVain) {
      const budget = budgetOf(connector);
      if (!budget.spend()) {
        o.metrics.count("switch_retries_refused_total", { connector });
        return undefined;
      }
      const answer = await ask();
      if (!wasInVain(answer)) budget.giveBack();
      return answer;
    },
  };
}
