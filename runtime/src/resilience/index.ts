export {
  type CallResult,
  type CircuitBreaker,
  type CircuitSettings,
  type CircuitState,
  createCircuitBreaker,
  type Ticket,
} from "./circuit-breaker.ts";
