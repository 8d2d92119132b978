/**
 * An HSM whose calls are spans: how long the module takes, and whether it answers.
 *
 * Each is a trace of its own, because keys are unwrapped at the start and once per epoch, on behalf of everybody. No key, wrapped or not, is an
 * attribute.
 */
import type { Tracer } from "@florin/runtime/telemetry";
import type { Hsm } from "./port.ts";

export function createTracedHsm(hsm: Hsm, tracer: Pick<Tracer, "withSpan">): Hsm {
  const options = { kind: "client", attributes: { "florin.kek_id": hsm.kekId } } as const;
  return {
    kekId: hsm.kekId,
    wrapKey: (key) => tracer.withSpan("vault.hsm.wrap_key", options, () => hsm.wrapKey(key)),
    unwrapKey: (wrapped) => tracer.withSpan("vault.hsm.unwrap_key", options, () => hsm.unwrapKey(wrapped)),
    randomBytes: (length) => tracer.withSpan("vault.hsm.random_bytes", options, () => hsm.randomBytes(length)),
    readGeneration: () => tracer.withSpan("vault.hsm.read_generation", options, () => hsm.readGeneration()),
    raiseGeneration: (generation) => tracer.withSpan("vault.hsm.raise_generation", options, () => hsm.raiseGeneration(generation)),
    close: () => hsm.close(),
  };
}
