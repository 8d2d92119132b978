/** All faults, in the order in which a drill strikes them. A new one is one line in the table of its kind. */
import { acquirerFaults } from "./acquirer-faults.ts";
import { databaseFaults } from "./database-faults.ts";
import type { Fault } from "./fault.ts";
import { networkFaults } from "./network-faults.ts";
import { processFaults } from "./process-faults.ts";
import { serverFaults } from "./server-faults.ts";
import { stormFaults } from "./storm-faults.ts";

export const faults: readonly Fault[] = [
  ...stormFaults,
  ...processFaults,
  ...networkFaults,
  ...serverFaults,
  ...databaseFaults,
  // Last, because the last of them lies until everything is settled.
  ...acquirerFaults,
];
