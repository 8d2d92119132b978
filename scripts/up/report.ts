/** What `up` prints when the stack is ready. */
import type { FirstPayment } from "./first-payment.ts";
import { firstPaymentBody } from "./first-payment.ts";
import { type UpFile, upFilePath } from "./state-files.ts";

export type Report = {
  readonly up: UpFile;
  readonly directory: string;
  readonly postgres: string;
  readonly redis: string | undefined;
  readonly nats: string | undefined;
  readonly isTlsOff: boolean;
  readonly durationMs: number;
  readonly first: FirstPayment;
};

export function renderReport(report: Report): string {
  const { up } = report;
  const iso8583 = new URL(up.simulatorIso8583Url).port;
  const lines = [
    "",
    `Florin is up (${(report.durationMs / 1_000).toFixed(1)} s).`,
    "",
    `  edge        ${up.edgeUrl}   (REST; OpenAPI at /openapi.json)`,
    `  vault       ${up.vaultUrl}   (POST /v1/tokens with the publishable key; card fields for pages)`,
    `  simulator   ${up.simulatorUrl}   (the acquirer of the sandbox; over ISO 8583 on port ${iso8583})`,
    `  shop        ${up.shopUrl}   (a page that takes a typed card: pay with 4242 4242 4242 4242)`,
    "",
    `  secret key       ${up.secretKey}`,
    `  publishable key  ${up.publishableKey}`,
    "",
    `  database    ${report.postgres}`,
    `  cache       ${report.redis ?? "none: the database answers replays, counters live in the process"}`,
    `  events      ${report.nats ?? "none: consumers subscribe to the switch directly"}`,
    `  mTLS        ${report.isTlsOff ? "OFF between processes (benches only)" : "on between all processes"}`,
    `  files       ${report.directory} (up.json, logs/, keys, data)`,
    "",
    `First payment: ${report.first.id} is ${report.first.status} (${report.first.durationMs} ms). Make the next one:`,
    "",
    `  curl -s ${up.edgeUrl}/v1/payments/authorize \\`,
    `    -H "Authorization: Bearer ${up.secretKey}" \\`,
    '    -H "Idempotency-Key: $(date +%s%N)" -H "Content-Type: application/json" \\',
    `    -d '${JSON.stringify({ ...firstPaymentBody, merchant_reference: "order-1" })}'`,
    "",
  ];
  return lines.join("\n");
}

export function renderAlreadyUp(directory: string, pid: number, up: UpFile | undefined): string {
  const where = up === undefined ? "it is still starting or stopping" : `edge ${up.edgeUrl}`;
  return `a stack already runs in ${directory} (supervisor ${pid}, ${where}). See ${upFilePath(directory)}, stop it with npm run down, or use another --directory and --port.`;
}
