/** `npm run report`: the switch's open operations, oldest first, the money that hangs on them, and how long others took. Reads only. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { PaymentStatus } from "@florin/gen/payments/v1/payments";
import { type OpenOperationReport, RecoveryService, type ReportOpenOperationsResponse } from "@florin/gen/payments/v1/recovery";
import { connectUnary } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { loadTls } from "@florin/runtime/tls";
import { addressesOfStack, callerDirectoryOf } from "./local-stack.ts";

const timeoutMs = 30_000;
const usage = `npm run report [-- options]

Asks the switch which operations have no outcome yet. Exit code 0 also when some are open.

  --directory <path>  of the stack (.florin of this repository)
  --address <host:port> --tls <path>  of any switch, with a folder of certificates that has one named operator
  --limit <n>         operations to list, oldest first (20; at most 1,000)
  --json              the report as the switch gives it`;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      directory: { type: "string" },
      address: { type: "string" },
      tls: { type: "string" },
      limit: { type: "string", default: "20" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) throw new Error("--limit is 1 to 1000");
  const callerDirectory = callerDirectoryOf(process.env);
  const isNamed = values.address !== undefined && values.tls !== undefined;
  const local = isNamed ? undefined : addressesOfStack(values.directory, { callerDirectory, help: "npm run report -- --help" });
  const recovery = connectUnary(RecoveryService, {
    address: values.address ?? local?.switchAddress ?? "",
    tls: loadTls(values.tls === undefined ? (local?.tlsDirectory ?? "") : resolve(callerDirectory, values.tls), "operator"),
    logger: createLogger({ service: "report", level: "warn" }),
  });
  try {
    const report = await recovery.reportOpenOperations({ limit }, { timeoutMs });
    console.log(values.json ? JSON.stringify(report, plain, 2) : lines(report).join("\n"));
  } finally {
    await recovery.close();
  }
}

const plain = (key: string, value: unknown) => (key === "$typeName" ? undefined : typeof value === "bigint" ? `${value}` : value);

function lines(report: ReportOpenOperationsResponse): string[] {
  const ages = report.ages.map(({ age, count }) => `${age} ${count}`).join(", ");
  const money = report.moneyAtRisk.map(({ currency, amount }) => `${currency} ${amount}`).join(", ");
  const { resolution } = report;
  return [
    `open operations   ${report.isComplete ? "" : "at least "}${report.count}`,
    `by age up to      ${ages}`,
    `minor units open  ${money === "" ? "none" : money}`,
    `time to outcome   ${resolution === undefined || resolution.count === 0 ? "nothing was unknown so far" : `p50 ${resolution.p50Ms} ms, p99 ${resolution.p99Ms} ms, longest ${resolution.maxMs} ms (latest ${resolution.count} that were unknown)`}`,
    ...report.operations.map((operation) => line(operation, report.asOfMs)),
  ];
}

const statusNames = new Map<PaymentStatus, string>(Object.entries(PaymentStatus).map(([name, status]) => [status, name.toLowerCase()]));

function line(operation: OpenOperationReport, asOfMs: bigint): string {
  const { paymentId, operationId, kind, connector, amount, currency, isUnknown, resolvesByMs } = operation;
  const ageS = Math.max(0, Number(asOfMs - operation.startedAtMs) / 1_000).toFixed(0);
  const promise = resolvesByMs === 0n ? "" : `, resolves by ${new Date(Number(resolvesByMs)).toISOString()}`;
  const state = isUnknown ? "unknown" : "under way";
  return `${paymentId}  ${statusNames.get(operation.status) ?? "unknown"}  ${kind} ${operationId} of ${amount} ${currency} at ${connector}: ${state} for ${ageS} s${promise}`;
}

try {
  await main(process.argv.slice(2));
} catch (thrown) {
  console.error(`florin: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
}
