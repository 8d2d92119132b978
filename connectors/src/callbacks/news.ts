/**
 * Callbacks that no call waited for: late ones, and those of operations that another process, or this one before it was started again, has
 * sent. The switch follows them and asks about the operation at once, instead of at its next turn.
 *
 * Nothing hangs on it: the state is at the processor, and recovery finds it without news. So what is too much is left out, and what a restart
 * loses is lost.
 */

export type Item = { readonly connector: string; readonly reference: string };

export interface News {
  publish(item: Item): void;
  /** What is remembered, and then what comes, until `signal` is aborted. */
  follow(signal: AbortSignal): AsyncIterable<readonly Item[]>;
  /** Followers that have everything and wait. */
  readonly waiting: number;
}

/** Remembers the latest `rememberedMax` for followers that come later: one that lost its stream has missed nothing. */
export function createNews(rememberedMax: number): News {
  let items: Item[] = [];
  /** Of the first item. */
  let firstNumber = 0;
  /** Of followers that wait: one that is gone is not here, however long nothing is published. */
  const wakers = new Set<() => void>();
  return {
    publish(item) {
      items.push(item);
      if (items.length > 2 * rememberedMax) {
        firstNumber += items.length - rememberedMax;
        items = items.slice(-rememberedMax);
      }
      for (const wake of [...wakers]) wake();
    },
    async *follow(signal) {
      let nextNumber = 0;
      while (!signal.aborted) {
        const fresh = items.slice(Math.max(0, nextNumber - firstNumber));
        nextNumber = firstNumber + items.length;
        if (fresh.length > 0) yield fresh;
        else await untilWoken(signal, wakers);
      }
    },
    get waiting() {
      return wakers.size;
    },
  };
}

function untilWoken(signal: AbortSignal, wakers: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      signal.removeEventListener("abort", wake);
      wakers.delete(wake);
      resolve();
    };
    signal.addEventListener("abort", wake, { once: true });
    wakers.add(wake);
  });
}
