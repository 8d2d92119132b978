/**
 * The gates: what a figure must reach, in words that the report prints.
 *
 * CPU is a ratio to the echo of the same run, because machines differ. The budget of architecture 4 is drawn for an echo of 16 CPU-µs and
 * goes by step; here each step is given to the processes that do it.
 */
import type { Part } from "./readings.ts";

/** CPU-µs of the echo on the machine where the budget was drawn. */
const echoMicrosReference = 16;
/** Sum of all counted parts, in echoes. */
export const sumEchoesMax = 16;
/** A single process may exceed its first gate by half. */
const processFactorMax = 1.5;

/** First gates in CPU-µs per authorization at the reference echo: steps 1 to 9, shared out. */
export const firstGateMicros: Readonly<Record<Part, number>> = {
  edge: 66,
  switch: 69,
  connectors: 46,
  vault: 14,
  ledger: 7,
  postgres: 47,
  redis: 8,
  nats: 6,
};

export type Gate = {
  readonly name: string;
  readonly measured: number;
  readonly limit: number;
  readonly unit: string;
  readonly passed: boolean;
};

export function gate(name: string, measured: number, limit: number, unit: string): Gate {
  return { name, measured, limit, unit, passed: measured <= limit };
}

/** The CPU gates of one run. `micros` per authorization. */
export function cpuGates(micros: Readonly<Record<Part, number>>, echoMicros: number): readonly Gate[] {
  const scale = echoMicros / echoMicrosReference;
  const parts = Object.entries(firstGateMicros) as [Part, number][];
  const sum = parts.reduce((total, [part]) => total + micros[part], 0);
  return [
    gate("sum of CPU per authorization", sum / echoMicros, sumEchoesMax, "echoes"),
    ...parts.map(([part, first]) => gate(`CPU of ${part} per authorization`, micros[part], first * scale * processFactorMax, "µs")),
  ];
}
