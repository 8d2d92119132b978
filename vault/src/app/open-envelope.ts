/**
 * From an envelope to the bytes of a card: the header fits the caller, the key is one of ours, the encryption holds, and it is the first time.
 *
 * Every refusal is the same one, and none is answered sooner than `refusalMsMin` after the question, whichever step said no. An envelope counts as used
 * only when it was authentic, so nobody can use up another's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@florin/kernel";
import { createBatcher } from "@florin/runtime/batch";
import { createWorkerBatcher } from "@florin/runtime/workers";
import { envelopeRefused, isMeantFor, readEnvelopeHeader } from "../domain/envelope.ts";
import { limits } from "../domain/limits.ts";
import type { EnvelopeMark, EnvelopeStore } from "../store/envelopes.ts";
import type { EnvelopeMember } from "./envelope.worker.ts";
import type { EnvelopeKeys } from "./envelope-keys.ts";

export interface EnvelopeOpener {
  /** The plaintext; the caller wipes it. Rejects with AppError: card_envelope_refused, or when a part is away or too busy. */
  open(envelope: Buffer, caller: { readonly publishableKey: string; readonly origins: readonly string[] }): Promise<Buffer>;
  close(): Promise<void>;
}

const openBatchMax = 64;
const openQueueDepthMax = 2_048;
const useBatchMax = 128;
const useQueueDepthMax = 4_096;
/** An opening takes about a millisecond; a refusal takes this long, so that its time says nothing. */
export const refusalMsMin = 40;

export function createEnvelopeOpener(o: {
  keys: Pick<EnvelopeKeys, "find">;
  store: Pick<EnvelopeStore, "use">;
  threads: number;
  /** Milliseconds since 1970. */
  now: () => number;
}): EnvelopeOpener {
  const openings = createWorkerBatcher<EnvelopeMember, number>({
    name: "open-envelopes",
    filename: new URL("./envelope.worker.ts", import.meta.url),
    batchMax: openBatchMax,
    queueDepthMax: openQueueDepthMax,
    threadsMax: o.threads,
  });
  const uses = createBatcher<EnvelopeMark, boolean>({
    name: "use-envelopes",
    run: async (marks) => (await o.store.use(marks)).map((value) => ({ ok: true, value })),
    batchMax: useBatchMax,
    queueDepthMax: useQueueDepthMax,
  });

  const open = async (envelope: Buffer, caller: Parameters<EnvelopeOpener["open"]>[1], plaintext: SharedArrayBuffer): Promise<number> => {
    const header = readEnvelopeHeader(envelope);
    if (header === undefined || !isMeantFor(header, { ...caller, nowMs: o.now() })) throw envelopeRefused();
    const key = await o.keys.find(header.kid);
    if (key === undefined) throw envelopeRefused();
    const length = await openings.submit({ envelope: new Uint8Array(envelope), kid: header.kid, key, plaintext });
    if (!(await uses.submit(header))) throw envelopeRefused();
    return length;
  };

  return {
    async open(envelope, caller) {
      const answerAtMs = performance.now() + refusalMsMin;
      const shared = new SharedArrayBuffer(limits.bodyBytesMax);
      const plaintext = Buffer.from(shared);
      try {
        return plaintext.subarray(0, await open(envelope, caller, shared));
      } catch (thrown) {
        plaintext.fill(0);
        if (thrown instanceof AppError && thrown.code === "card_envelope_refused") await sleep(Math.max(0, answerAtMs - performance.now()));
        throw thrown;
      }
    },
    async close() {
      await openings.close();
      await uses.close();
    },
  };
}
