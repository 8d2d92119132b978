/**
 * A hardware security module through PKCS#11: wraps and unwraps data keys, keeps the generation of the key ring, and lets custodians manage KEKs.
 *
 * The module is asked in a thread of its own (pkcs11-worker.ts), one question at a time, at most `questionsMax` waiting, each for at most
 * `timeoutMs`. No payment waits for it: data keys are unwrapped at the start and once per epoch.
 *
 * The PIN is kept for as long as the adapter lives, in its thread: a module that restarts must be logged in to again.
 */
import { Worker } from "node:worker_threads";
import { AppError, assert, type Secret } from "@florin/kernel";
import type { Pkcs11Answers, Pkcs11Place, Pkcs11Question, Pkcs11Reply } from "./pkcs11-protocol.ts";
import type { Hsm, KekCustody } from "./port.ts";
import { dataKeyBytes } from "./unusable.ts";

export type Pkcs11Options = {
  /** The vendor's library. */
  readonly modulePath: string;
  readonly tokenLabel: string;
  /** Wiped here. */
  readonly pin: Secret;
  /** How long one call of the module may take, ms. */
  readonly timeoutMs?: number;
};

const timeoutMsDefault = 10_000;
const questionsMax = 256;

/** Rejects with AppError unavailable when module, token or KEK are not there, or the KEK could leave the module. `kekLabel`: the KEK that wraps. */
export async function openPkcs11Hsm(o: Pkcs11Options & { kekLabel: string }): Promise<Hsm> {
  const { kekLabel: label } = o;
  const thread = new ModuleThread(o);
  const { kekId } = await thread.ask({ kind: "kek", label }).catch(async (thrown: unknown) => {
    await thread.close();
    throw thrown;
  });
  return {
    kekId,
    async wrapKey(key) {
      assert(key.length === dataKeyBytes, "a data key has 32 bytes");
      return thread.ask({ kind: "wrap", label, key: Uint8Array.from(key) });
    },
    unwrapKey: async ({ bytes, kekId: wrapper }) =>
      asBuffer(await thread.ask({ kind: "unwrap", bytes: Uint8Array.from(bytes), kekId: wrapper })),
    randomBytes: async (length) => asBuffer(await thread.ask({ kind: "random", length })),
    readGeneration: () => thread.ask({ kind: "read_generation" }),
    raiseGeneration: (generation) => thread.ask({ kind: "raise_generation", generation }),
    close: () => thread.close(),
  };
}

/** For custodians; the vault process has no use for it. Rejects with AppError unavailable when module or token are not there. */
export function openPkcs11Custody(o: Pkcs11Options): KekCustody {
  const thread = new ModuleThread(o);
  return {
    list: () => thread.ask({ kind: "list_keks" }),
    create: (label) => thread.ask({ kind: "create_kek", label }),
    async importKey(label, key) {
      assert(key.length === dataKeyBytes, "a key-encryption key has 32 bytes");
      const copy = Uint8Array.from(key);
      key.fill(0);
      return thread.ask({ kind: "import_kek", label, key: copy });
    },
    retire: (label) => thread.ask({ kind: "retire_kek", label }),
    destroy: (label) => thread.ask({ kind: "destroy_kek", label }),
    close: () => thread.close(),
  };
}

type Waiting = { readonly settle: (reply: Pkcs11Reply) => void; readonly timer: NodeJS.Timeout };

class ModuleThread {
  readonly #place: Pkcs11Place;
  readonly #timeoutMs: number;
  #worker: Worker | undefined;
  /** In the order in which they were asked. */
  #waiting: Waiting[] = [];
  #isClosed = false;

  constructor(o: Pkcs11Options) {
    const pin = Uint8Array.from(o.pin.expose());
    o.pin.wipe();
    this.#place = { modulePath: o.modulePath, tokenLabel: o.tokenLabel, pin };
    this.#timeoutMs = o.timeoutMs ?? timeoutMsDefault;
  }

  async ask<Q extends Pkcs11Question>(question: Q): Promise<Pkcs11Answers[Q["kind"]]> {
    if (this.#isClosed) throw away("is closed");
    if (this.#waiting.length >= questionsMax)
      throw new AppError("overloaded", "too many questions wait for the hardware security module", { work: "not_done" });
    const reply = await this.#send(question);
    if (reply.ok) return reply.value as Pkcs11Answers[Q["kind"]];
    if (reply.isUnusable) throw new AppError("internal", reply.message, { work: "not_done" });
    throw away(`failed: ${reply.message}`);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    const worker = this.#worker;
    if (worker !== undefined) await this.#send({ kind: "close" });
    this.#isClosed = true;
    this.#place.pin.fill(0);
    await worker?.terminate();
  }

  #send(question: Pkcs11Question): Promise<Pkcs11Reply> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#giveUp(worker, "does not answer in time"), this.#timeoutMs);
      this.#waiting.push({ settle: resolve, timer });
      worker.ref();
      const moved = "key" in question ? [question.key.buffer as ArrayBuffer] : [];
      worker.postMessage(question, moved);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./pkcs11-worker.ts", import.meta.url), { workerData: this.#place, name: "hsm" });
    worker.on("message", (reply: Pkcs11Reply) => {
      const first = this.#waiting.shift();
      clearTimeout(first?.timer);
      // An idle module does not keep the process alive.
      if (this.#waiting.length === 0) worker.unref();
      first?.settle(reply);
    });
    worker.on("error", (error) => this.#giveUp(worker, `ended: ${error.message}`));
    worker.on("exit", () => this.#giveUp(worker, "ended"));
    return worker;
  }

  /** Everything that waits fails, and the next question starts another thread. A call that hangs inside the module cannot be ended: it is left behind. */
  #giveUp(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    worker.unref();
    void worker.terminate();
    for (const { settle, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      settle({ ok: false, isUnusable: false, message: `the thread of the module ${why}` });
    }
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function away(why: string): AppError {
  return new AppError("unavailable", `the hardware security module ${why}`, { work: "not_done" });
}
