/**
 * One at a time per payment, within this process: two commands on one payment would only beat each other in the log and try again.
 *
 * A courtesy, not a guard: another replica may write meanwhile, and the log's primary key decides. Only the short part (load, decide,
 * append) runs inside, never a call to a processor.
 */
import { AppError } from "@florin/kernel";

export interface PaymentQueues {
  /** Runs `work` after those before it on the same payment. Rejects with `overloaded` (not_done) when too many wait. */
  run<T>(paymentId: string, work: () => Promise<T>): Promise<T>;
}

const waitingMax = 256;

type Queue = { last: Promise<unknown>; waiting: number };

export function createPaymentQueues(): PaymentQueues {
  const queues = new Map<string, Queue>();
  return {
    async run(paymentId, work) {
      const queue = queues.get(paymentId) ?? { last: Promise.resolve(), waiting: 0 };
      if (queue.waiting >= waitingMax)
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
