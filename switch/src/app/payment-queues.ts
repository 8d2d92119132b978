/**
 * One at a time per payment, within this process: two commands on one payment would only beat each other in the log and try again.
 *
 * A courtesy, not a guard: another replica may write meanwhile, and the log's primary key decides. Only the short part (load, decide,
 * append) runs inside, never a call to a processor.
 */
import { AppError } from "@florin/kernel";

export interface PaymentQueues {
  /**
   * Runs `work` after those before it on the same payment. Rejects with `overloaded` (not_done) when too many wait. An outcome always
   * gets in: there are at most as many as intents were let in before.
   */
  run<T>(paymentId: string, work: () => Promise<T>, o?: { readonly isOutcome: boolean }): Promise<T>;
  /** True when nobody works on this payment in this process. */
  isIdle(paymentId: string): boolean;
}

const waitingMax = 256;

type Queue = { last: Promise<unknown>; waiting: number };

export function createPaymentQueues(): PaymentQueues {
  const queues = new Map<string, Queue>();
  return {
    isIdle: (paymentId) => !queues.has(paymentId),
    async run(paymentId, work, o) {
      const queue = queues.get(paymentId) ?? { last: Promise.resolve(), waiting: 0 };
      if (queue.waiting >= waitingMax && o?.isOutcome !== true)
        throw new AppError("overloaded", "too many operations wait for this payment", { work: "not_done", retryAfterMs: 1_000 });
      queues.set(paymentId, queue);
      queue.waiting += 1;
      const mine = queue.last.then(work, work);
      queue.last = mine.catch(() => undefined);
      try {
        return await mine;
      } finally {
        queue.waiting -= 1;
        if (queue.waiting === 0) queues.delete(paymentId);
      }
    },
  };
}
