/** Merchants' traffic by percentage: authorize 40, capture 30, get 20, refund 10. Every virtual user works on payments of its own. */
import { authorize, capture, get, type Held, refund } from "./payments.ts";

const heldMax = 200;
/** Payments of this virtual user, by what can be done with them next. */
const held: Held[] = [];
const captured: Held[] = [];

/** One call. Where there is nothing to capture, read or refund yet, a payment is authorized instead. */
export function oneOfMix(): void {
  const draw = Math.random() * 100;
  if (draw >= 40 && draw < 70) captureOne();
  else if (draw >= 70 && draw < 90) readOne();
  else if (draw >= 90) refundOne();
  else authorizeOne();
}

function authorizeOne(): void {
  const payment = authorize();
  if (payment !== undefined) keep(held, payment);
}

function captureOne(): void {
  const payment = held.shift();
  if (payment === undefined) {
    authorizeOne();
    return;
  }
  const left = payment.amount - payment.captured;
  // Half of the captures are partial; the rest is captured when its turn comes again.
  const amount = Math.random() < 0.5 && left > 1 ? Math.ceil(left / 2) : left;
  if (!capture(payment, amount)) return;
  if (payment.captured < payment.amount) keep(held, payment);
  keep(captured, payment);
}

function readOne(): void {
  const payment = captured[0] ?? held[0];
  if (payment === undefined) authorizeOne();
  else get(payment);
}

function refundOne(): void {
  const payment = captured.shift();
  if (payment === undefined) {
    authorizeOne();
    return;
  }
  const left = payment.captured - payment.refunded;
  if (left < 1) return;
  refund(payment, Math.max(1, Math.floor(left / 2)));
}

function keep(list: Held[], payment: Held): void {
  if (list.length < heldMax && !list.includes(payment)) list.push(payment);
}
