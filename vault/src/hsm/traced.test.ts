import { join } from "node:path";
import { Secret } from "@florin/kernel";
import { startTelemetry } from "@florin/runtime/telemetry";
import { temporaryFolder } from "@florin/runtime/testing";
import { hsmConformance } from "./conformance.ts";
import { createSoftwareHsm } from "./software.ts";
import { createTracedHsm } from "./traced.ts";

const telemetry = startTelemetry({ service: "test", otlpUrl: "", traceRatio: 0 });
const generationFile = join(temporaryFolder(), "generation");
const openWith = async (byte: number, older?: number) =>
  createTracedHsm(
    createSoftwareHsm({
      kek: kekOf(byte),
      unwrapOnly: older === undefined ? undefined : kekOf(older),
      environment: "sandbox",
      generationFile,
    }),
    telemetry,
  );
const kekOf = (byte: number) => new Secret(Buffer.alloc(32, byte));

hsmConformance("a traced adapter", { open: () => openWith(1), openOther: () => openWith(2), openRotated: () => openWith(3, 1) });
