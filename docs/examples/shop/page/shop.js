// The page's own script: mounts the card fields, asks for a token, hands it to the shop's server. No card data passes through here.

/**
 * @typedef {{ field: string, state: string, isFocused: boolean, brand?: string }} State
 * @typedef {{ token?: { id: string, card: { brand: string, last4: string } }, error?: { message: string } }} TokenAnswer
 * @typedef {{ on(name: string, listener: (state: State) => void): Fields, createToken(): Promise<TokenAnswer>, ready: Promise<void> }} Fields
 * @typedef {(publishableKey: string) => { fields(options: object): Fields }} MakeFlorin
 */
const { Florin } = /** @type {{ Florin: MakeFlorin }} */ (/** @type {unknown} */ (window));

const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
const outcome = /** @type {HTMLElement} */ (document.querySelector("#outcome"));

/** @param {"" | "paid" | "refused"} kind @param {string} text */
function show(kind, text) {
  outcome.dataset["kind"] = kind;
  outcome.textContent = text;
}

const fields = Florin(form.dataset["publishableKey"] ?? "").fields({
  number: { on: "#card-number", placeholder: "1234 1234 1234 1234" },
  expiry: { on: "#card-expiry", placeholder: "MM / YY" },
  code: { on: "#card-code", placeholder: "CVC" },
  style: {
    base: { padding: "0 12px", fontSize: "16px", color: "#1c2321" },
    placeholder: { color: "#8a938f" },
    invalid: { color: "#b3261e" },
  },
});
fields.on("enter", () => form.requestSubmit());
fields.ready.then(
  () => {
    button.disabled = false;
  },
  () => show("refused", "The card fields could not be loaded."),
);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void pay();
});

async function pay() {
  button.disabled = true;
  show("", "One moment…");
  const { token, error } = await fields.createToken();
  if (token === undefined) show("refused", error?.message ?? "");
  else {
    // The order's number makes a repeated request harmless: the shop's server sends it as the idempotency key.
    const response = await fetch("/pay", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ order: form.dataset["order"], token: token.id }),
    }).catch(() => undefined);
    const answer = /** @type {{ paid?: boolean, text?: string }} */ ((await response?.json().catch(() => ({}))) ?? {});
    show(answer.paid ? "paid" : "refused", answer.text ?? "The shop did not answer. Press again: you are charged once.");
    if (answer.paid) return;
  }
  button.disabled = false;
}
