export { type AdaptiveLimit, type AdaptiveLimitSettings, createAdaptiveLimit, type Spent } from "./adaptive-limit.ts";
export { type Admission, type AdmissionSettings, type ClassLimits, createAdmission, type Place, type Refusal } from "./admission.ts";
export { type CallBudget, type CallBudgetSettings, createCallBudget } from "./call-budget.ts";
export {
  type CallResult,
  type CircuitBreaker,
  type CircuitSettings,
  type CircuitState,
  createCircuitBreaker,
  type Ticket,
} from "./circuit-breaker.ts";
export { createRetryBudget, type RetryBudget, type RetryBudgetSettings } from "./retry-budget.ts";
export { createTurns, type TurnSettings, type Turns } from "./turns.ts";
