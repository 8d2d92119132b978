/** What the use cases work with. The composition root makes it once; tests make their own. */
import type { Metrics } from "@florin/runtime/telemetry";
import type { Timing } from "@florin/runtime/timing";
import type { ConnectorGateway } from "../clients/connector-gateway.ts";
import type { TokenDirectory } from "../clients/token-directory.ts";
import type { DeclineHistory, HouseSettings } from "../domain/routing/index.ts";
import type { Claims } from "../store/claims.ts";
import type { LogReader } from "../store/log-reader.ts";
import type { LogWriter } from "../store/log-writer.ts";
import type { CrashPoint } from "./crash-point.ts";
import type { FraudScreen } from "./fraud/screen.ts";
import type { PaymentQueues } from "./payment-queues.ts";
import type { Resolved } from "./resolve-operation.ts";
import type { Router } from "./routing/router.ts";
import type { Sightings } from "./sightings.ts";

export type Parts = {
  readonly log: LogWriter;
  readonly reader: LogReader;
  readonly claims: Claims;
  readonly vault: TokenDirectory;
  readonly connectors: ConnectorGateway;
  readonly fraud: FraudScreen;
  readonly queues: PaymentQueues;
  /** Questions to processors that are under way, by operation: who asks the same at once shares the answer. */
  readonly questions: Map<string, Promise<Resolved>>;
  /** Since when this process knows of open operations. */
  readonly sightings: Sightings;
  readonly metrics: Metrics;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Random bytes for ids. */
  readonly random: (length: number) => Uint8Array;
  /** Pauses. The system's, except in the simulation. */
  readonly timing: Timing;
  readonly crashAt: (point: CrashPoint) => void;
  /** Hold time of an authorization, milliseconds (R11). */
  readonly authorizationLifetimeMs: number;
  readonly router: Router;
  /** Declined tries of cards, for the networks' rules. */
  readonly declines: DeclineHistory;
  /** The settings of the house as they are now. Take them once for one decision: the next call may give newer ones. */
  readonly settings: () => HouseSettings;
};
