export {
  type CircuitLimits,
  circuitFields,
  type EdgeCallLimits,
  edgeCallFields,
  type LimitField,
  type LimitFields,
  type Numbers,
  type RetryLimits,
  retryFields,
  type SwitchCallLimits,
  switchCallFields,
  usualLimits,
} from "./limit-fields.ts";
