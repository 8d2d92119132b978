/** One line per fault, and what is wrong with it. */
import type { Fault } from "./faults/fault.ts";
import type { FaultReport } from "./settle.ts";

const columns = [
  ["fault", 34],
  ["anchor", 6],
  ["rounds", 6],
  ["operations", 10],
  ["requests", 8],
  ["unknown", 7],
  ["resolved", 8],
  ["lost", 4],
  ["double", 6],
  ["unbalanced", 10],
  ["open", 4],
  ["recovery", 17],
] as const;

export type Judged = { readonly isRight: boolean; readonly isSkipped: boolean; readonly lines: readonly string[] };

export function renderHead(): string {
  return columns.map(([name, width], index) => (index < 2 ? name.padEnd(width) : name.padStart(width))).join("  ");
}

/** `isShort`: times are shown and not judged, because a CI machine's clock measures its neighbours. */
export function judge(report: FaultReport, { isShort }: { isShort: boolean }): Judged {
  const { struck, differences } = report;
  const { fault, rounds, failure, isSkipped, wrongSuccesses } = struck;
  const name = fault.name.padEnd(columns[0][1]);
  if (isSkipped) return { isRight: true, isSkipped, lines: [`${name}  ${fault.anchor.padEnd(columns[1][1])}  skipped: ${failure}`] };
  const { lost, doubled, unbalanced, open } = differences;
  const figures = [rounds, report.operations, report.requests, report.unknowns, report.resolved, lost, doubled, unbalanced, open];
  const cells = [...figures.map(String), renderRecovery(report)].map((cell, index) => cell.padStart(columns[index + 2]?.[1] ?? 0));
  const complaints = [
    ...(failure === undefined ? [] : [failure]),
    ...(wrongSuccesses === 0 ? [] : [`${wrongSuccesses} new successes while nothing could be committed`]),
    ...(isShort ? [] : lateRecoveries(report)),
    ...(struck.recoveriesMs.includes(undefined) ? ["no payment succeeded after the fault was mended"] : []),
    ...report.examples,
  ];
  const isRight = complaints.length === 0 && lost + doubled + unbalanced + open === 0;
  return {
    isRight,
    isSkipped,
    lines: [[name, fault.anchor.padEnd(columns[1][1]), ...cells].join("  "), ...complaints.map((one) => `    ${one}`)],
  };
}

/** The slowest round, and the figure that it has to hold. */
function renderRecovery({ struck }: FaultReport): string {
  const worst = Math.max(0, ...struck.recoveriesMs.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  const { recoveryMsMax } = struck.fault;
  return `${seconds(worst)}${recoveryMsMax === undefined ? "" : ` (<= ${seconds(recoveryMsMax)})`}`;
}

/** 95 of 100 rounds keep the figure: with fewer than 20 rounds all of them. */
function lateRecoveries({ struck }: FaultReport): readonly string[] {
  const { recoveryMsMax } = struck.fault;
  if (recoveryMsMax === undefined) return [];
  const late = struck.recoveriesMs.filter((ms) => (ms ?? Number.POSITIVE_INFINITY) > recoveryMsMax).length;
  return late > struck.recoveriesMs.length / 20
    ? [`${late} of ${struck.recoveriesMs.length} recoveries took longer than ${seconds(recoveryMsMax)}`]
    : [];
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1_000).toFixed(1)} s` : "never";
}

export function renderTable(faults: readonly Fault[]): string {
  return faults
    .map(
      ({ name, anchor, what, rounds }) => `${name.padEnd(columns[0][1])}  ${anchor.padEnd(4)}  ${rounds.short} / ${rounds.full}  ${what}`,
    )
    .join("\n");
}
