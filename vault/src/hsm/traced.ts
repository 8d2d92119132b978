/**
 * An HSM whose calls are spans and are counted: how long the module takes, whether it answers, and that no payment waits for it.
 *
 * Each span is a trace of its own, because keys are unwrapped at the start and once per epoch, on behalf of everybody. No key, wrapped or not, is an
 * attribute.
 */
import type { Metrics, Tracer } from "@florin/runtime/telemetry";
import type { Hsm } from "./port.ts";

type Telemetry = { readonly tracer: Pick<Tracer, "withSpan">; readonly metrics: Pick<Metrics, "count"> };
type Call = "wrap_key" | "unwrap_key" | "random_bytes" | "read_generation" | "raise_generation";

export function createTracedHsm(hsm: Hsm, { tracer, metrics }: Telemetry): Hsm {
  const options = { kind: "client", attributes: { "florin.kek_id": hsm.kekId } } as const;
  const traced = <T>(call: Call, work: () => Promise<T>): Promise<T> => {
    metrics.count("vault_hsm_calls_total", { call });
    return tracer.withSpan(`vault.hsm.${call}`, options, work);
  };
  return {
    kekId: hsm.kekId,
    wrapKey: (key) => traced("wrap_key", () => hsm.wrapKey(key)),
    unwrapKey: (wrapped) => traced("unwrap_key", () => hsm.unwrapKey(wrapped)),
    randomBytes: (length) => traced("random_bytes", () => hsm.randomBytes(length)),
    readGeneration: () => traced("read_generation", () => hsm.readGeneration()),
    raiseGeneration: (generation) => traced("raise_generation", () => hsm.raiseGeneration(generation)),
    close: () => hsm.close(),
  };
}
