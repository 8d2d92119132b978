/** An acquirer that approves everything after 20 ms and keeps no books: what it costs is not what is measured. Prints its port. */
import { createServer } from "node:http";

const latencyMs = 20;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method === "GET") {
      response.end("{}");
      return;
    }
    const { amount, currency } = JSON.parse(Buffer.concat(chunks).toString()) as { amount: number; currency: string };
    const body = JSON.stringify({
      id: "sp_000000000042",
      reference: request.headers["idempotency-key"],
      operation: "authorization",
      status: "approved",
      response_code: "00",
      decline_code: "",
      auth_code: "A1B2C3",
      avs: "match",
      cvv: "match",
      amount,
      currency,
    });
    setTimeout(() => {
      response.writeHead(201, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
      response.end(body);
    }, latencyMs);
  });
});
server.keepAliveTimeout = 75_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" && address !== null ? address.port : 0}\n`);
});
