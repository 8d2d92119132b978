/**
 * acme's requests as HTTP/1.1 bytes. A card number goes from the vault's bytes into the request and is wiped there; whatever else may hold any
 * character goes through JSON's escapes.
 */
import { assert } from "@florin/kernel";
import type { AuthorizeCommand, Card, ConnectorCall } from "../src/contract/connector.ts";
import { wipeCard } from "../src/contract/wipe-card.ts";
import { inHead, isInHead, traceHeader, type WrittenRequest, writeHead, writeRequest } from "../src/http1/written-request.ts";

export type RequestWriter = {
  /** Wipes the card: from here on its digits are in the request only. A PIN is for other processors, and is wiped as well. */
  authorize(command: AuthorizeCommand, card: Card, call: ConnectorCall): WrittenRequest;
  post(path: string, reference: string, body: object, call: ConnectorCall): WrittenRequest;
  get(path: string, call: ConnectorCall): WrittenRequest;
};

// Fill in: the card comes last in the body, because its digits follow as bytes and never become a string.
const codeBefore = Buffer.from('","code":"', "latin1");
const cardAfter = Buffer.from('"}}', "latin1");

/** `apiKey`: printable ASCII. `host` as in the Host header. */
export function createRequestWriter(host: string, apiKey: string): RequestWriter {
  assert(isInHead(apiKey) && isInHead(host), "the key and the host are printable ASCII");
  // Fill in: how acme wants its key.
  const common = `\r\nhost: ${host}\r\nauthorization: Bearer ${apiKey}\r\n`;
  const headOf = (path: string, reference: string, { traceparent }: ConnectorCall) =>
    `POST ${inHead(path)} HTTP/1.1${common}${traceHeader(traceparent)}idempotency-key: ${inHead(reference)}\r\n` +
    "content-type: application/json\r\ncontent-length: ";
  return {
    authorize(command, card, call) {
      const code = card.securityCode?.expose();
      const pieces = [card.number.expose(), ...(code === undefined ? [] : [codeBefore, code]), cardAfter];
      const request = writeRequest(headOf("/payments", command.reference, call), fieldsOf(command, card), pieces);
      wipeCard(card);
      return request;
    },
    post: (path, reference, body, call) => writeRequest(headOf(path, reference, call), JSON.stringify(body), []),
    get: (path, call) => writeHead(`GET ${inHead(path)} HTTP/1.1${common}${traceHeader(call.traceparent)}\r\n`),
  };
}

/** Fill in: the body up to the card's digits. */
function fieldsOf({ reference, merchantReference, amount, currency, capture }: AuthorizeCommand, card: Card): string {
  const payment = { reference, note: merchantReference, amount: String(amount), currency, capture };
  const fields = { month: card.expMonth, year: card.expYear, postalCode: card.postalCode, street: card.addressLine1 };
  return `${JSON.stringify(payment).slice(0, -1)},"card":${JSON.stringify(fields).slice(0, -1)},"number":"`;
}
