/**
 * simpay's requests as HTTP/1.1 bytes: head and body in one buffer, one write.
 *
 * A card number goes from the vault's bytes into the buffer, is wiped there, and never becomes a string. References and ids were checked where they came
 * in; whatever else may hold any character goes through JSON's escapes, so nothing can break out of a header or a field.
 */
import { assert } from "@florin/kernel";
import type { AuthorizeCommand, Card, ConnectorCall } from "../contract/connector.ts";
import { giveBack, takeBuffer } from "../http1/request-buffer.ts";

export type WrittenRequest = {
  /** Exactly the request. */
  readonly bytes: Buffer;
  /** Overwrites the bytes, as soon as they have left. Does nothing after `release`, when the buffer may be another request's. */
  readonly wipe: () => void;
  /** Wipes the bytes and gives their buffer back; call it once, when the exchange is over. */
  readonly release: () => void;
};

export type RequestWriter = {
  /** Wipes the card: from here on its digits are in the request only. */
  authorize(command: AuthorizeCommand, card: Card, call: ConnectorCall): WrittenRequest;
  /** `path` under the authorization; `body` is JSON. */
  post(path: string, reference: string, body: string, call: ConnectorCall): WrittenRequest;
  get(path: string, call: ConnectorCall): WrittenRequest;
};

/** Digits of the Content-Length field, padded with blanks (RFC 9110 §5.5 lets blanks precede a value). */
const lengthDigits = 6;
const safeInHead = /^[\x21-\x7e]+$/;
const traceparentLength = 55;
const traceparentPattern = /^[0-9a-f-]+$/;

/** `apiKey`: printable ASCII. `host` as in the Host header. */
export function createRequestWriter(host: string, apiKey: string): RequestWriter {
  assert(safeInHead.test(apiKey) && safeInHead.test(host), "the key and the host are printable ASCII");
  const common = `\r\nhost: ${host}\r\nauthorization: Bearer ${apiKey}\r\n`;
  const postHead = (path: string, reference: string, call: ConnectorCall) =>
    `POST ${path} HTTP/1.1${common}content-type: application/json\r\nidempotency-key: ${checked(reference)}\r\n${callHeaders(call)}content-length: `;
  const authorizeHeadOf = (command: AuthorizeCommand, call: ConnectorCall) => postHead("/v1/authorizations", command.reference, call);
  return {
    authorize(command, card, call) {
      const head = authorizeHeadOf(command, call);
      const fields = authorizeFields(command, card);
      return write(head, fields, card);
    },
    post: (path, reference, body, call) => write(postHead(checked(path), reference, call), body, undefined),
    get(path, call) {
      const text = `GET ${checked(path)} HTTP/1.1${common}${callHeaders(call)}\r\n`;
      const buffer = takeBuffer(text.length);
      return finished(buffer, buffer.write(text, 0, "latin1"));
    },
  };
}

function checked(text: string): string {
  assert(safeInHead.test(text), "references and ids are printable ASCII");
  return text;
}

/** The deadline is for the processor's information; the link keeps it whatever the processor does. */
function callHeaders(call: ConnectorCall): string {
  const timeoutMs = Math.max(1, Math.min(120_000, Math.floor(call.deadlineAtMs - Date.now())));
  const { traceparent } = call;
  const trace = traceparent.length === traceparentLength && traceparentPattern.test(traceparent) ? `traceparent: ${traceparent}\r\n` : "";
  return `x-timeout-ms: ${timeoutMs}\r\n${trace}`;
}

/** The body up to the card's digits, which follow as bytes. */
function authorizeFields(command: AuthorizeCommand, card: Card): string {
  const merchantReference = command.merchantReference === "" ? "" : `"merchant_reference":${JSON.stringify(command.merchantReference)},`;
  const postalCode = card.postalCode === "" ? "" : `"postal_code":${JSON.stringify(card.postalCode)},`;
  const addressLine1 = card.addressLine1 === "" ? "" : `"address_line1":${JSON.stringify(card.addressLine1)},`;
  return (
    `{"merchant_id":${JSON.stringify(command.merchantId)},"payment_id":${JSON.stringify(command.paymentId)},${merchantReference}` +
    `"amount":${command.amount},"currency":${JSON.stringify(command.currency)},"capture":${command.capture},` +
    `"card":{"exp_month":${card.expMonth},"exp_year":${card.expYear},${postalCode}${addressLine1}"number":"`
  );
}

const codeBefore = Buffer.from('","cvc":"', "latin1");
const cardAfter = Buffer.from('"}}', "latin1");

function write(head: string, fields: string, card: Card | undefined): WrittenRequest {
  const code = card?.securityCode?.expose();
  const number = card?.number.expose();
  const cardBytes =
    number === undefined ? 0 : number.length + cardAfter.length + (code === undefined ? 0 : codeBefore.length + code.length);
  const fieldsBytes = Buffer.byteLength(fields, "utf8");
  const headBytes = head.length + lengthDigits + 4;
  const total = headBytes + fieldsBytes + cardBytes;
  const buffer = takeBuffer(total);
  let at = buffer.write(head, 0, "latin1");
  at += buffer.write(`${String(fieldsBytes + cardBytes).padStart(lengthDigits, " ")}\r\n\r\n`, at, "latin1");
  at += buffer.write(fields, at, "utf8");
  if (number !== undefined) {
    at = append(buffer, number, at);
    if (code !== undefined) at = append(buffer, code, append(buffer, codeBefore, at));
    at = append(buffer, cardAfter, at);
    card?.number.wipe();
    card?.securityCode?.wipe();
    card?.pin?.block.wipe();
  }
  assert(at === total, "a request is as long as its head says");
  return finished(buffer, total);
}

function append(buffer: Buffer, bytes: Uint8Array, at: number): number {
  buffer.set(bytes, at);
  return at + bytes.length;
}

function finished(buffer: Buffer, usedBytes: number): WrittenRequest {
  let isReleased = false;
  return {
    bytes: buffer.subarray(0, usedBytes),
    wipe() {
      if (!isReleased) buffer.fill(0, 0, usedBytes);
    },
    release() {
      isReleased = true;
      giveBack(buffer, usedBytes);
    },
  };
}
