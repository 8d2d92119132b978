/**
 * One card field, in a frame of the vault's own origin: takes what is typed, says how it stands, and turns the card of its form into a token.
 *
 * What is typed stays in this origin. The three fields of a form find each other among the frames of the page, which the browser lets scripts of
 * one origin do and nobody else; the page is not the messenger, because it could put itself in a field's place. The page hears states, never
 * digits. Its origin is what the browser says of its first message, and every later message has to come from there.
 */

import { codeLengthMaxOf, digitsIn, type FieldState, formatNumber, judgeCode, judgeNumber, numberIn } from "../card-number.ts";
import { caretBehind, digitsBefore } from "../caret.ts";
import { expiryIn, formatExpiry, judgeExpiry, readExpiry } from "../expiry.ts";
import { type EnvelopeKey, encryptEnvelope, makeJti } from "../jwe.ts";
import { type FieldMessage, type PageMessage, protocol, readPageMessage, type TokenError } from "../messages.ts";
import { admitStyle } from "../style.ts";
import { type Complaint, directionOf, type FieldName, wordsOf } from "../words.ts";

type Init = Extract<PageMessage, { kind: "init" }>;
type Tokenize = Extract<PageMessage, { kind: "tokenize" }>;
/** What fields of one form show each other. */
type Peer = {
  readonly field: FieldName;
  readonly group: string;
  readonly origin: string;
  digits(): string;
  /** Judges as if its holder had left it, and shows it. */
  examine(): FieldState;
  /** The number's brand may have changed. */
  refresh(): void;
};
declare global {
  interface Window {
    florinField?: Peer;
  }
}

const field = document.body.dataset["field"] as FieldName;
const input = document.querySelector("input") as HTMLInputElement;
const complaint = document.querySelector("#complaint") as HTMLElement;
const peersMax = 64;
const keyAgeMsMax = 300_000;
const requestTimeoutMs = 20_000;
const complaints = { number: "number_invalid", expiry: "expiry_invalid", code: "code_invalid" } as const satisfies Record<
  FieldName,
  Complaint
>;
const errorCodes = { number: "card_number_invalid", expiry: "card_expiry_invalid", code: "card_cvc_invalid" } as const;

let init: Init | undefined;
let pageOrigin = "";
let wasLeft = false;
let toldState = "";
let fetchedKey: { readonly key: EnvelopeKey; readonly serverNowS: number; readonly atMs: number } | undefined;

// What is typed.

const digits = (): string =>
  field === "number" ? numberIn(input.value) : field === "expiry" ? expiryIn(input.value) : digitsIn(input.value, 4);

function brand() {
  const number =
    field === "number"
      ? digits()
      : (peers()
          .find((peer) => peer.field === "number")
          ?.digits() ?? "");
  return judgeNumber(number, false).brand;
}

function judge(isLeft: boolean): FieldState {
  if (field === "number") return judgeNumber(digits(), isLeft).state;
  if (field === "expiry") return judgeExpiry(digits(), new Date(), isLeft);
  return judgeCode(digits(), brand(), isLeft);
}

function reshape(): void {
  const before = digitsBefore(input.value, input.selectionStart ?? input.value.length);
  const isAtEnd = input.selectionStart === input.value.length;
  const typed = digits();
  const shaped =
    field === "number" ? formatNumber(typed) : field === "expiry" ? formatExpiry(typed) : typed.slice(0, codeLengthMaxOf(brand()));
  if (shaped === input.value) return;
  input.value = shaped;
  const caret = isAtEnd ? shaped.length : caretBehind(shaped, before);
  if (document.activeElement === input) input.setSelectionRange(caret, caret);
}

function tellState(): void {
  const state = judge(wasLeft && document.activeElement !== input);
  const isInvalid = state === "invalid";
  input.setAttribute("aria-invalid", String(isInvalid));
  document.body.dataset["state"] = state;
  complaint.textContent = isInvalid ? wordsOf(init?.language ?? "")[complaints[field]] : "";
  const isFocused = document.activeElement === input;
  const message: FieldMessage = { kind: "state", state, isFocused, brand: field === "number" ? brand() : undefined };
  const told = JSON.stringify(message);
  if (told !== toldState) tell(message);
  toldState = told;
}

function onInput(): void {
  reshape();
  tellState();
  if (field === "number") for (const peer of peers()) if (peer.field === "code") peer.refresh();
}

// The other fields of this form.

function peers(): readonly Peer[] {
  const found: Peer[] = [];
  for (let index = 0; index < Math.min(window.parent.length, peersMax); index++) {
    try {
      const peer = (window.parent[index] as Window | undefined)?.florinField;
      if (peer !== undefined && peer.group === init?.group && peer.origin === pageOrigin) found.push(peer);
    } catch {
      // A frame of another origin: none of ours.
    }
  }
  return found;
}

// The token.

async function tokenize({ id, name, billing, terms }: Tokenize): Promise<FieldMessage> {
  const fields = peers();
  const wrong = fields.find((peer) => peer.examine() !== "complete") ?? undefined;
  const digitsOf = (one: FieldName) => fields.find((peer) => peer.field === one)?.digits();
  const expiry = readExpiry(digitsOf("expiry") ?? "");
  if (wrong !== undefined || expiry === undefined) return refused(id, wrong?.field ?? "expiry");
  const code = digitsOf("code");
  const card = {
    number: digitsOf("number"),
    exp_month: expiry.month,
    exp_year: expiry.year,
    ...(code === undefined ? {} : { cvc: code }),
    ...(name === "" ? {} : { name }),
  };
  const body = JSON.stringify({ card, ...(Object.keys(billing).length === 0 ? {} : { billing }), ...terms });
  try {
    const first = await send(body);
    // A page may have been open for longer than a key lives.
    const answer = first.code === "card_envelope_refused" ? await send(body, true) : first;
    return answer.token === undefined ? { kind: "error", id, error: answer } : { kind: "token", id, token: answer.token };
  } catch {
    return { kind: "error", id, error: { code: "unavailable", message: "The card could not be sent. Try again.", field: undefined } };
  }
}

function refused(id: string, which: FieldName): FieldMessage {
  const message = wordsOf(init?.language ?? "")[complaints[which]];
  return { kind: "error", id, error: { code: errorCodes[which], message, field: which } };
}

/** One envelope, one request. Rejects when the vault cannot be reached. */
async function send(body: string, isKeyStale = false): Promise<TokenError & { readonly token?: unknown }> {
  const { key, serverNowS, atMs } = await currentKey(isKeyStale);
  // The payer's clock may be wrong; the vault's was told with the key.
  const iat = Math.floor(serverNowS + (performance.now() - atMs) / 1_000);
  const publishableKey = init?.key ?? "";
  const plaintext = new TextEncoder().encode(body);
  const envelope = await encryptEnvelope(plaintext, key, { key: publishableKey, origin: pageOrigin, iat, jti: makeJti() });
  const response = await fetch("/v1/tokens", {
    method: "POST",
    headers: { authorization: `Bearer ${publishableKey}`, "content-type": "application/jose" },
    body: envelope,
    credentials: "omit",
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  const answer = (await response.json()) as { error?: { code: string; message: string; param?: string } };
  if (response.ok) return { code: "", message: "", field: undefined, token: answer };
  const { code = "unavailable", message = "" } = answer.error ?? {};
  const param = answer.error?.param ?? "";
  const which = param === "card.number" ? "number" : param.startsWith("card.exp") ? "expiry" : param === "card.cvc" ? "code" : undefined;
  return { code, message, field: which };
}

async function currentKey(isStale: boolean) {
  if (!isStale && fetchedKey !== undefined && performance.now() - fetchedKey.atMs < keyAgeMsMax) return fetchedKey;
  const response = await fetch("/fields/key", { credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(requestTimeoutMs) });
  if (!response.ok) throw new Error("no key");
  const { now, ...key } = (await response.json()) as EnvelopeKey & { now: number };
  fetchedKey = { key, serverNowS: now, atMs: performance.now() };
  return fetchedKey;
}

// The page.

function tell(message: FieldMessage): void {
  if (pageOrigin !== "") window.parent.postMessage({ protocol, field, message }, pageOrigin);
}

function begin(message: Init, origin: string): void {
  init = message;
  pageOrigin = origin;
  window.florinField = {
    field,
    group: message.group,
    origin,
    digits,
    examine() {
      wasLeft = true;
      const state = judge(true);
      // The payer has asked for it: what is empty is wrong now, too.
      if (state === "empty") complaint.textContent = wordsOf(message.language)[complaints[field]];
      tellState();
      return state;
    },
    refresh: () => {
      reshape();
      tellState();
    },
  };
  const root = document.documentElement;
  root.lang = message.language || "en";
  root.dir = directionOf(message.language);
  const label = message.label || wordsOf(message.language)[field];
  input.setAttribute("aria-label", label);
  document.title = label;
  input.placeholder = message.placeholder;
  const { declarations, refused: refusedStyles } = admitStyle(message.style);
  // Through the object model, which a policy without unsafe-inline allows; the states are rules of field.css over these properties.
  for (const { state, property, value } of declarations) root.style.setProperty(`--${state}-${property}`, value);
  tell({ kind: "ready", refusedStyles });
  if (input.value !== "") onInput();
  // Fetched while the payer types.
  if (field === "number") currentKey(false).catch(() => undefined);
}

window.addEventListener("message", (event) => {
  if (event.source !== window.parent || window.parent === window) return;
  const message = readPageMessage(event.data, field);
  if (message === undefined || (init !== undefined && event.origin !== pageOrigin)) return;
  // "null" is the origin of a page without one (a sandbox, a file): no message could be addressed to it alone.
  if (message.kind === "init") {
    if (init === undefined && event.origin !== "null") begin(message, event.origin);
  } else if (init !== undefined) obey(message);
});

function obey(message: Exclude<PageMessage, Init>): void {
  if (message.kind === "focus") input.focus();
  else if (message.kind === "clear") {
    input.value = "";
    wasLeft = false;
    tellState();
  } else if (field === "number") void tokenize(message).then(tell);
}

input.addEventListener("input", onInput);
// Autofill of some browsers changes the value and says only this.
input.addEventListener("change", onInput);
input.addEventListener("focus", tellState);
input.addEventListener("blur", () => {
  wasLeft = true;
  tellState();
});
document.querySelector("form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  tell({ kind: "enter" });
});
