/**
 * simlater's requests as HTTP/1.1 bytes. A card number goes from the vault's bytes into the request and is wiped there; whatever else may hold
 * any character goes through JSON's escapes.
 */
import { assert } from "@florin/kernel";
import type { AuthorizeCommand, Card, ConnectorCall } from "../contract/connector.ts";
import { wipeCard } from "../contract/wipe-card.ts";
import { inHead, isInHead, traceHeader, type WrittenRequest, writeHead, writeRequest } from "../http1/written-request.ts";
import { formatDecimal } from "./decimal-amount.ts";

export type RequestWriter = {
  /** Wipes the card: from here on its digits are in the request only. A PIN is for other processors, and is wiped as well. */
  order(command: AuthorizeCommand, card: Card, call: ConnectorCall): WrittenRequest;
  send(method: "POST" | "PUT", path: string, body: object, call: ConnectorCall): WrittenRequest;
  get(path: string, call: ConnectorCall): WrittenRequest;
};

const codeBefore = Buffer.from('","code":"', "latin1");
const cardAfter = Buffer.from('"}}', "latin1");

/** `apiKey`: printable ASCII. `host` as in the Host header. */
export function createRequestWriter(host: string, apiKey: string): RequestWriter {
  assert(isInHead(apiKey) && isInHead(host), "the key and the host are printable ASCII");
  const common = `\r\nhost: ${host}\r\nx-later-key: ${apiKey}\r\n`;
  const headOf = (method: string, path: string, call: ConnectorCall) =>
    `${method} ${inHead(path)} HTTP/1.1${common}${traceHeader(call.traceparent)}content-type: application/json\r\ncontent-length: `;
  return {
    order(command, card, call) {
      const code = card.securityCode?.expose();
      const pieces = [card.number.expose(), ...(code === undefined ? [] : [codeBefore, code]), cardAfter];
      const request = writeRequest(headOf("POST", "/later/orders", call), orderFields(command, card), pieces);
      wipeCard(card);
      return request;
    },
    send: (method, path, body, call) => writeRequest(headOf(method, path, call), JSON.stringify(body), []),
    get: (path, call) => writeHead(`GET ${inHead(path)} HTTP/1.1${common}${traceHeader(call.traceparent)}\r\n`),
  };
}

export function totalOf(amountMinor: bigint, currency: string): { readonly value: string; readonly ccy: string } {
  return { value: formatDecimal(amountMinor, currency), ccy: currency };
}

/** The body up to the card's digits, which follow as bytes. */
function orderFields(command: AuthorizeCommand, card: Card): string {
  const { reference, merchantId, paymentId, merchantReference, amount, currency, capture } = command;
  const order = {
    orderRef: reference,
    shop: merchantId,
    purchase: paymentId,
    ...(merchantReference === "" ? {} : { note: merchantReference }),
    total: totalOf(amount, currency),
    settle: capture,
  };
  const instrument = {
    until: `${String(card.expMonth).padStart(2, "0")}/${String(card.expYear % 100).padStart(2, "0")}`,
    ...(card.postalCode === "" ? {} : { zip: card.postalCode }),
    ...(card.addressLine1 === "" ? {} : { street: card.addressLine1 }),
  };
  return `${JSON.stringify(order).slice(0, -1)},"instrument":${JSON.stringify(instrument).slice(0, -1)},"pan":"`;
}
