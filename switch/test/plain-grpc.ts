/**
 * gRPC as any foreign client speaks it (HTTP/2, five bytes before a message, status in the trailers), without our client library: what a
 * service of another language gets to see.
 */
import { connect } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { type Fault, FaultSchema } from "@florin/gen/frames/v1/frames";
import type { TlsSetting } from "@florin/runtime/tls";

export type PlainAnswer = {
  /** As in google.rpc.Code. */
  readonly status: number;
  readonly message: string;
  /** The whole fault, for our own clients. */
  readonly fault: Fault | undefined;
  readonly messages: readonly Buffer[];
};

export type PlainClient = {
  /** `path`: "florin.payments.v1.PaymentService/GetPayment". Sends one message and ends its side. Rejects when the connection is lost. */
  call(path: string, message: Uint8Array, headers?: Readonly<Record<string, string>>): Promise<PlainAnswer>;
  close(): void;
};

/** `tls` with `certificate` undefined: a client that trusts our CA and shows nothing. */
export function openPlainGrpc(port: number, tls: Extract<TlsSetting, { kind: "mutual" }>, showsCertificate = true): PlainClient {
  const own = showsCertificate ? { cert: tls.certificate, key: tls.key } : {};
  const session = connect(`https://127.0.0.1:${port}`, { ca: tls.ca, servername: "localhost", ...own });
  let lost: Error | undefined;
  session.once("error", (error: Error) => {
    lost = error;
  });
  return {
    call: (path, message, headers = {}) =>
      new Promise((resolve, reject) => {
        const stream = session.request({
          ":method": "POST",
          ":path": `/${path}`,
          "content-type": "application/grpc",
          te: "trailers",
          ...headers,
        });
        const facts: Record<string, unknown> = {};
        const parts: Buffer[] = [];
        stream.on("response", (head) => Object.assign(facts, head));
        stream.on("trailers", (trailers) => Object.assign(facts, trailers));
        stream.on("data", (part: Buffer) => parts.push(part));
        stream.once("error", reject);
        stream.once("close", () => {
          if (facts["grpc-status"] === undefined) reject(lost ?? new Error("the connection ended without a status"));
          else resolve(answerOf(facts, Buffer.concat(parts)));
        });
        stream.end(framed(message));
      }),
    close: () => session.close(),
  };
}

const prefixLength = 5;

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(prefixLength);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function answerOf(facts: Readonly<Record<string, unknown>>, body: Buffer): PlainAnswer {
  const messages: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + prefixLength + body.readUInt32BE(at + 1);
    messages.push(body.subarray(at + prefixLength, end));
    at = end;
  }
  const encoded = facts["florin-fault-bin"];
  const fault = typeof encoded === "string" ? fromBinary(FaultSchema, Buffer.from(encoded, "base64")) : undefined;
  return { status: Number(facts["grpc-status"]), message: decodeURIComponent(String(facts["grpc-message"] ?? "")), fault, messages };
}
