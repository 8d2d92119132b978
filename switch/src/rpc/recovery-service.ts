/** RecoveryService: what is open, for operators. */

import { Mode } from "@florin/gen/payments/v1/payments";
import { RecoveryService } from "@florin/gen/payments/v1/recovery";
import { invalid } from "@florin/kernel";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import { type Open, type ReportParts, reportOpen } from "../app/open-report.ts";
import { wireStatus } from "../wire.ts";

const limitDefault = 100;
const limitMax = 1_000;

export function createRecoveryService(parts: ReportParts): ServiceImplementation {
  return implement(RecoveryService, {
    async reportOpenOperations({ limit }) {
      if (limit > limitMax) throw invalid("parameter_invalid", `limit is at most ${limitMax}`, "limit");
      const report = await reportOpen(parts, { limit: limit === 0 ? limitDefault : limit });
      const { count, p50Ms, p99Ms, maxMs } = report.resolution;
      return {
        asOfMs: BigInt(report.asOfMs),
        count: report.count,
        isComplete: report.isComplete,
        ages: [...report.ages].map(([age, number]) => ({ age, count: number })),
        moneyAtRisk: [...report.moneyAtRisk].map(([currency, amount]) => ({ currency, amount })),
        operations: report.oldest.map(toWire),
        resolution: { count, p50Ms: BigInt(p50Ms), p99Ms: BigInt(p99Ms), maxMs: BigInt(maxMs) },
      };
    },
  });
}

function toWire({ payment, operation }: Open) {
  return {
    paymentId: payment.id,
    merchantId: payment.merchantId,
    mode: payment.mode === "live" ? Mode.LIVE : Mode.TEST,
    operationId: operation.id,
    kind: operation.kind,
    connector: operation.connector,
    amount: operation.amount,
    currency: payment.currency,
    startedAtMs: BigInt(operation.startedAtMs),
    isUnknown: operation.isUnknown,
    status: wireStatus[payment.status],
    resolvesByMs: BigInt(payment.resolvesByMs),
  };
}
