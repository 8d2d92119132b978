/** Ages of open operations, as metrics and reports tell them: at most so old, and older than the one before. */
export const operationAges = [
  { age: "30s", untilMs: 30_000 },
  { age: "5m", untilMs: 300_000 },
  { age: "1h", untilMs: 3_600_000 },
  { age: "1d", untilMs: 86_400_000 },
  { age: "more", untilMs: Number.POSITIVE_INFINITY },
] as const;

export type OperationAge = (typeof operationAges)[number]["age"];

/** Of an operation that began `elapsedMs` ago; less than 0 where two clocks differ. */
export function operationAgeOf(elapsedMs: number): OperationAge {
  return operationAges.find(({ untilMs }) => elapsedMs <= untilMs)?.age ?? "more";
}
