/** What the acquirer was asked and what its books did, by operation; and how often each fault befell somebody. Made once, counting is an addition. */
import type { BoundCounter, Metrics } from "@florin/runtime/telemetry";
import { type Fault, faults, type OperationName, operationNames } from "../domain/fault-rule.ts";

/** `booked` the first time, `repeated` by the same reference, `found` by a query, `refused` with an error, `not_reached` because of a fault before the books. */
export type RequestResult = (typeof requestResults)[number];
const requestResults = ["booked", "repeated", "found", "refused", "not_reached"] as const;

export type RequestMeter = {
  request(operation: OperationName, result: RequestResult): void;
  fault(fault: Fault): void;
};

export function createRequestMeter(metrics: Pick<Metrics, "counter">): RequestMeter {
  const requests = tableOf(operationNames, (operation) =>
    tableOf(requestResults, (result) => metrics.counter("simulator_requests_total", { operation, result })),
  );
  const happened = tableOf(Object.keys(faults) as Fault[], (fault) => metrics.counter("simulator_faults_total", { fault }));
  return {
    request: (operation, result) => requests[operation][result].add(),
    fault: (fault) => happened[fault].add(),
  };
}

function tableOf<Name extends string, Value extends BoundCounter | object>(names: readonly Name[], make: (name: Name) => Value) {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Value>;
}
