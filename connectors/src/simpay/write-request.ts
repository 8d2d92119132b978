/**
 * simpay's requests as HTTP/1.1 bytes: head and body in one buffer, one write.
 *
 * A card number goes from the vault's bytes into the buffer, is wiped there, and never becomes a string. References and ids were checked where they came
 * in; whatever else may hold any character goes through JSON's escapes, so nothing can break out of a header or a field.
 */
import { assert } from "@florin/kernel";
import type { AuthorizeCommand, Card, ConnectorCall } from "../contract/connector.ts";
import { wipeCard } from "../contract/wipe-card.ts";
import { inHead, isInHead, traceHeader, type WrittenRequest, writeHead, writeRequest } from "../http1/written-request.ts";

export type RequestWriter = {
  /** Wipes the card: from here on its digits are in the request only. */
  authorize(command: AuthorizeCommand, card: Card, call: ConnectorCall): WrittenRequest;
  /** `path` under the authorization; `body` is JSON. */
  post(path: string, reference: string, body: string, call: ConnectorCall): WrittenRequest;
  get(path: string, call: ConnectorCall): WrittenRequest;
};

/** `apiKey`: printable ASCII. `host` as in the Host header. */
export function createRequestWriter(host: string, apiKey: string): RequestWriter {
  assert(isInHead(apiKey) && isInHead(host), "the key and the host are printable ASCII");
  const common = `\r\nhost: ${host}\r\nauthorization: Bearer ${apiKey}\r\n`;
  const postHead = (path: string, reference: string, call: ConnectorCall) =>
    `POST ${path} HTTP/1.1${common}content-type: application/json\r\nidempotency-key: ${inHead(reference)}\r\n${callHeaders(call)}content-length: `;
  const authorizeHeadOf = (command: AuthorizeCommand, call: ConnectorCall) => postHead("/v1/authorizations", command.reference, call);
  return {
    authorize(command, card, call) {
      const head = authorizeHeadOf(command, call);
      const fields = authorizeFields(command, card);
      return write(head, fields, card);
    },
    post: (path, reference, body, call) => write(postHead(inHead(path), reference, call), body, undefined),
    get(path, call) {
      const text = `GET ${inHead(path)} HTTP/1.1${common}${callHeaders(call)}\r\n`;
      return writeHead(text);
    },
  };
}

/** The deadline is for the processor's information; the link keeps it whatever the processor does. */
function callHeaders(call: ConnectorCall): string {
  const timeoutMs = Math.max(1, Math.min(120_000, Math.floor(call.deadlineAtMs - Date.now())));
  return `x-timeout-ms: ${timeoutMs}\r\n${traceHeader(call.traceparent)}`;
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
  if (card === undefined) return writeRequest(head, fields, []);
  const code = card.securityCode?.expose();
  const request = writeRequest(head, fields, [card.number.expose(), ...(code === undefined ? [] : [codeBefore, code]), cardAfter]);
  wipeCard(card);
  return request;
}
