/** Smoke: one merchant walks one payment at a time through authorize, partial captures, refund and read. Seconds; for every change. */
import { check } from "k6";
import type { Options } from "./lib/options.ts";
import { thresholds } from "./lib/options.ts";
import { authorize, capture, get, refund } from "./lib/payments.ts";
import { durationOr } from "./lib/settings.ts";

export const options: Options = { vus: 2, duration: durationOr("10s"), thresholds: { ...thresholds, checks: ["rate==1"] } };

export default function walk(): void {
  const payment = authorize();
  if (!check(payment, { "the payment is authorized": (made) => made !== undefined }) || payment === undefined) return;
  const half = Math.floor(payment.amount / 2);
  check(payment, {
    "the first half is captured": () => capture(payment, half),
    "the rest is captured": () => capture(payment, payment.amount - half),
    "a part is refunded": () => refund(payment, 100),
    "the payment can be read": () => get(payment),
  });
}
