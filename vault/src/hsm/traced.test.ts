import { Secret } from "@florin/kernel";
import { startTelemetry } from "@florin/runtime/telemetry";
import { hsmConformance } from "./conformance.ts";
import { createSoftwareHsm } from "./software.ts";
import { createTracedHsm } from "./traced.ts";

const { tracer } = startTelemetry({ service: "test", otlpUrl: "", traceRatio: 0 });
const openWith = async (byte: number) =>
  createTracedHsm(createSoftwareHsm({ kek: new Secret(Buffer.alloc(32, byte)), environment: "sandbox" }), tracer);

hsmConformance("a traced adapter", { open: () => openWith(1), openOther: () => openWith(2) });
