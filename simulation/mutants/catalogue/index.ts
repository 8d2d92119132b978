/** Every planted bug, by the promise that it breaks. */
import type { Mutant } from "../mutant.ts";
import { cascadeMutants } from "./cascades.ts";
import { constraintMutants } from "./constraints.ts";
import { deliveryMutants } from "./delivery.ts";
import { idempotencyMutants } from "./idempotency.ts";
import { ledgerMutants } from "./ledger.ts";
import { lifecycleMutants } from "./lifecycle.ts";
import { outcomeMutants } from "./outcomes.ts";
import { recoveryMutants } from "./recovery.ts";

export const mutants: readonly Mutant[] = [
  ...idempotencyMutants,
  ...constraintMutants,
  ...outcomeMutants,
  ...cascadeMutants,
  ...recoveryMutants,
  ...lifecycleMutants,
  ...deliveryMutants,
  ...ledgerMutants,
];
