/**
 * An internal service that takes a payment from the switch directly: plain gRPC over mutual TLS.
 *
 *     npm run up -- --detach
 *     node_modules/.bin/node docs/examples/internal-client.ts [directory of the stack]
 *
 * The switch admits it by its certificate: the name in it is "client", and the switch's caller policy lists what a client may call. Any
 * language with gRPC can do the same; the contract is proto/florin/payments/v1.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CaptureMode, Disposition, Mode, PaymentService, PaymentStatus } from "@florin/gen/payments/v1/payments";
import { connectUnary } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { loadTls } from "@florin/runtime/tls";

type Addresses = { readonly switchAddress: string; readonly tlsDirectory: string; readonly merchantId: string };

const timeoutMs = 10_000;

/** Authorizes 25.00 EUR, captures 20.00 of it, and reads the payment back. */
async function main(directory: string): Promise<void> {
  // A service in production has these from its configuration.
  const { switchAddress, tlsDirectory, merchantId } = JSON.parse(readFileSync(join(directory, "addresses.json"), "utf8")) as Addresses;
  const payments = connectUnary(PaymentService, {
    address: switchAddress,
    tls: loadTls(tlsDirectory, "client"),
    logger: createLogger({ service: "example", level: "warn" }),
  });
  const caller = { merchantId, mode: Mode.TEST, actor: "service:example", requestId: "" };
  try {
    // The key names the intent. Should the call time out, the outcome is unknown: ask again with the same key, never with a new one.
    const created = await payments.createPayment(
      {
        caller,
        idempotencyKey: `example-${randomUUID()}`,
        amount: 2_500n,
        currency: "EUR",
        captureMode: CaptureMode.MANUAL,
        merchantReference: "example-order",
        paymentMethod: { type: "card", token: "tok_visa_4242" },
        confirm: true,
      },
      { timeoutMs },
    );
    const payment = created.result?.payment;
    if (created.result?.disposition !== Disposition.DONE || payment?.status !== PaymentStatus.AUTHORIZED) {
      throw new Error(`not authorized: ${created.result?.refusal?.message ?? "no reason given"}`);
    }
    console.log(`${payment.id} is authorized for ${payment.amountAuthorized} cents on a ${payment.card?.brand} card`);

    await payments.capturePayment(
      { caller, idempotencyKey: `example-${randomUUID()}`, paymentId: payment.id, amount: 2_000n },
      { timeoutMs },
    );
    const read = await payments.getPayment({ caller, paymentId: payment.id }, { timeoutMs });
    console.log(`${payment.id} has ${read.payment?.amountCaptured} cents captured, ${read.payment?.amountRemaining} left`);
  } finally {
    await payments.close();
  }
}

await main(process.argv[2] ?? ".florin");
