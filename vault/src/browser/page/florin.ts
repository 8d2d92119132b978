/**
 * florin.js, the script of a merchant's page: puts the card fields into it as frames of the vault's origin, and asks for a token.
 *
 * No card data is ever in this script or in the page. It listens only to messages that come from its own frames and the vault's origin, and posts to that
 * origin by name. A classic script without imports, so that one address with one integrity value is all that a page needs.
 */
import type { Billing, FieldMessage, PageMessage, Terms, TokenError } from "../messages.ts";
import type { FieldStyle } from "../style.ts";
import type { FieldName } from "../words.ts";

type FieldOptions = { readonly on: string | Element; readonly label?: string; readonly placeholder?: string };
type FieldsOptions = {
  readonly number: string | Element | FieldOptions;
  readonly expiry: string | Element | FieldOptions;
  /** May be left out, for cards that are charged without one. */
  readonly code?: string | Element | FieldOptions;
  readonly style?: FieldStyle;
  /** A BCP 47 tag; the page's own language when it is left out. */
  readonly language?: string;
};
type State = { readonly field: FieldName; readonly state: string; readonly isFocused: boolean; readonly brand: string | undefined };
type TokenAnswer = { readonly token: unknown; readonly error?: undefined } | { readonly token?: undefined; readonly error: TokenError };
type Events = { change: (state: State) => void; enter: (field: { field: FieldName }) => void };

(() => {
  const protocol = "florin.fields.1";
  const readyTimeoutMs = 20_000;
  const tokenTimeoutMs = 50_000;
  const names: readonly FieldName[] = ["number", "expiry", "code"];
  const script = document.currentScript as HTMLScriptElement | null;
  if (script === null) throw new Error("florin.js is loaded with a plain <script src>, not as a module");
  const vaultOrigin = new URL(script.src).origin;

  const randomId = (): string =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  class Field {
    readonly name: FieldName;
    readonly frame = document.createElement("iframe");
    readonly container: Element;
    readonly ready: Promise<void>;
    readonly #abort = new AbortController();

    constructor(
      name: FieldName,
      options: FieldOptions,
      o: { init: Omit<Init, "label" | "placeholder">; hear: (field: Field, message: FieldMessage) => void },
    ) {
      this.name = name;
      const container = typeof options.on === "string" ? document.querySelector(options.on) : options.on;
      if (container === null) throw new Error(`florin.js: there is no element ${String(options.on)} for the ${name} field`);
      this.container = container;
      const { frame } = this;
      frame.title = options.label ?? { number: "Card number", expiry: "Expiry date", code: "Security code" }[name];
      for (const [property, value] of Object.entries({ border: "0", width: "100%", height: "100%", display: "block" }))
        frame.style.setProperty(property, value);
      const { signal } = this.#abort;
      this.ready = new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`florin.js: the ${name} field did not come up; see the console, and the page's policy`)),
          readyTimeoutMs,
        );
        addEventListener(
          "message",
          (event: MessageEvent) => {
            const { data } = event;
            if (event.origin !== vaultOrigin || event.source !== frame.contentWindow || data?.protocol !== protocol || data.field !== name)
              return;
            const message = data.message as FieldMessage;
            if (message.kind === "ready") {
              clearTimeout(timer);
              for (const refused of message.refusedStyles) console.warn(`florin.js: the ${name} field does not take the style ${refused}`);
              resolve();
            }
            o.hear(this, message);
          },
          { signal },
        );
        frame.addEventListener("load", () => this.post({ ...o.init, label: options.label ?? "", placeholder: options.placeholder ?? "" }), {
          signal,
        });
        signal.addEventListener("abort", () => clearTimeout(timer));
      });
      // Whoever waits for it hears of it; whoever does not is not to be bothered.
      this.ready.catch(() => undefined);
      frame.src = `${vaultOrigin}/fields/${name}`;
      container.replaceChildren(frame);
      // The label of a frame's container does nothing by itself.
      for (const label of container.id === "" ? [] : document.querySelectorAll(`label[for="${CSS.escape(container.id)}"]`))
        label.addEventListener("click", () => this.post({ kind: "focus" }), { signal });
    }

    post(message: PageMessage): void {
      this.frame.contentWindow?.postMessage({ protocol, field: this.name, message }, vaultOrigin);
    }

    remove(): void {
      this.#abort.abort();
      this.frame.remove();
    }
  }
  type Init = Extract<PageMessage, { kind: "init" }>;

  class Fields {
    /** Resolves when all fields can be typed into; rejects with an Error when one did not come up. */
    readonly ready: Promise<void>;
    readonly #fields: readonly Field[];
    readonly #listeners: { [Name in keyof Events]: Set<Events[Name]> } = { change: new Set(), enter: new Set() };
    readonly #waiting = new Map<string, (answer: TokenAnswer) => void>();

    constructor(key: string, options: FieldsOptions) {
      const language = options.language ?? document.documentElement.lang;
      const init = { kind: "init", key, group: randomId(), language, style: options.style ?? {} } as const;
      const hear = (field: Field, message: FieldMessage): void => this.#hear(field, message);
      this.#fields = names.flatMap((name) => {
        const wanted = options[name];
        if (wanted === undefined) return [];
        return new Field(name, typeof wanted === "string" || wanted instanceof Element ? { on: wanted } : wanted, { init, hear });
      });
      this.ready = Promise.all(this.#fields.map((field) => field.ready)).then(() => undefined);
      this.ready.catch(() => undefined);
    }

    on<Name extends keyof Events>(name: Name, listener: Events[Name]): this {
      const listeners = this.#listeners[name];
      if (listeners === undefined) throw new Error(`florin.js: there is no event ${String(name)}; there are change and enter`);
      listeners.add(listener);
      return this;
    }

    focus(name: FieldName = "number"): void {
      this.#find(name)?.post({ kind: "focus" });
    }

    clear(): void {
      for (const field of this.#fields) field.post({ kind: "clear" });
    }

    /** Never rejects: `{token}`, or `{error: {code, message, field}}` to show to the payer. A repeated call makes another token. */
    async createToken(details: { readonly name?: string; readonly billing?: Billing } & Terms = {}): Promise<TokenAnswer> {
      const unavailable = (message: string): TokenAnswer => ({ error: { code: "unavailable", message, field: undefined } });
      try {
        await this.ready;
      } catch {
        return unavailable("The card fields could not be loaded.");
      }
      const id = randomId();
      return new Promise((resolve) => {
        const timer = setTimeout(() => this.#settle(id, unavailable("No answer in time. Try again.")), tokenTimeoutMs);
        this.#waiting.set(id, (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        const { name = "", billing = {}, usage, expires_in } = details;
        const terms = { ...(usage === undefined ? {} : { usage }), ...(expires_in === undefined ? {} : { expires_in }) };
        this.#find("number")?.post({ kind: "tokenize", id, name, billing, terms });
      });
    }

    /** Takes the fields out of the page. */
    remove(): void {
      for (const field of this.#fields) field.remove();
    }

    #find(name: FieldName): Field | undefined {
      return this.#fields.find((field) => field.name === name);
    }

    #hear(field: Field, message: FieldMessage): void {
      if (message.kind === "state") this.#show(field, message);
      else if (message.kind === "enter") for (const listener of this.#listeners.enter) listener({ field: field.name });
      else if (message.kind === "token") this.#settle(message.id, { token: message.token });
      else if (message.kind === "error") {
        if (message.error.field !== undefined) this.focus(message.error.field);
        this.#settle(message.id, { error: message.error });
      }
    }

    #show(field: Field, { state, isFocused, brand }: Extract<FieldMessage, { kind: "state" }>): void {
      for (const one of ["empty", "incomplete", "complete", "invalid"]) field.container.classList.toggle(`florin-${one}`, one === state);
      field.container.classList.toggle("florin-focus", isFocused);
      for (const listener of this.#listeners.change) listener({ field: field.name, state, isFocused, brand });
    }

    #settle(id: string, answer: TokenAnswer): void {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    }
  }

  const Florin = (publishableKey: string) => {
    if (!/^pk_(test|live)_[0-9a-hjkmnp-tv-z]{26}$/.test(publishableKey))
      throw new Error("florin.js: Florin() takes your publishable key, pk_test_… or pk_live_…");
    return Object.freeze({ fields: (options: FieldsOptions) => new Fields(publishableKey, options) });
  };
  Object.defineProperty(window, "Florin", { value: Florin, enumerable: true, configurable: true });
})();
