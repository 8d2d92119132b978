/** Child process: a switch that approves everything at once, behind mutual TLS. Prints its port to the parent. */
import { create, toBinary } from "@bufbuild/protobuf";
import { CreatePaymentResponseSchema, Disposition, PaymentService } from "@florin/gen/payments/v1/payments";
import { type Handlers, implement, startRpcServer } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { loadTls } from "@florin/runtime/tls";
import { authorizedPayment } from "../../src/rest/payment-samples.ts";

const payment = authorizedPayment();
const result = { disposition: Disposition.DONE, payment };
const operation = async () => ({ result });
const handlers: Handlers<typeof PaymentService> = {
  createPayment: operation,
  authorizePayment: operation,
  capturePayment: operation,
  voidPayment: operation,
  refundPayment: operation,
  getPayment: async () => ({ payment }),
  listPayments: async () => ({}),
  listPaymentEvents: async () => ({}),
  getPaymentRouting: async () => ({}),
};
const server = await startRpcServer({
  host: "127.0.0.1",
  port: 0,
  tls: loadTls(process.argv[2] ?? "off", "switch"),
  services: [implement(PaymentService, handlers)],
  policy: { edge: ["florin.payments.v1.PaymentService/*"] },
  allowInsecure: true,
  logger: createLogger({ service: "bench", level: "error" }),
});
const answerBytes = toBinary(CreatePaymentResponseSchema, create(CreatePaymentResponseSchema, { result })).length;
process.send?.({ port: server.port, answerBytes });
process.once("disconnect", () => process.exit(0));
