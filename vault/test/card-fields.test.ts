/** The card fields in Chromium: what a payer does, what a page can and cannot see, and what happens to scripts that were changed. */
import { required } from "@florin/kernel";
import type { Browser, BrowserContext, Frame, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { merchantScript } from "../src/rest/field-files.ts";
import { chromiumProgram, launchBrowser, type Site, startSite, whySkipped } from "./browser.ts";
import { newId, openStage, type Stage, startVault, type VaultProcess } from "./stage.ts";

const number = "5200828282828210";
type FieldName = "number" | "expiry" | "code";
type Answer = {
  readonly token?: { readonly id: string; readonly card: Record<string, unknown> };
  readonly error?: Record<string, unknown>;
};
type Shop = {
  fields: { createToken(details?: object): Promise<Answer>; focus(name?: string): void; clear(): void };
  states: Record<string, unknown>[];
};
declare const shop: Shop;

let stage: Stage;
let vault: VaultProcess;
let site: Site;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let key: string;
/** Everything the page and its frames wrote to the console. */
let spoken: string[];

describe.skipIf(chromiumProgram === undefined)(`card fields in Chromium${whySkipped}`, () => {
  beforeAll(async () => {
    stage = await openStage();
    [vault, site, browser] = await Promise.all([startVault(stage), startSite(), launchBrowser()]);
    key = await stage.key(newId("merchant"));
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await vault?.stop();
    await stage?.close();
  });

  beforeEach(async () => {
    context = await browser.newContext();
    page = await context.newPage();
    spoken = [];
    page.on("console", (message) => spoken.push(message.text()));
    page.on("pageerror", (error) => spoken.push(String(error)));
  });

  afterEach(async () => {
    await context.close();
    // Whatever a test did: no number in a URL, a console, or the vault's log.
    const seen = [...site.requests, ...spoken, vault.output()].join("\n");
    expect(seen).not.toMatch(/5200828282828210|5200 8282|4242424242424242/);
  });

  const shopHtml = (options: object = {}, head = "", integrity = "") => `<!doctype html><html lang="en"><head>${head}
    <script src="${vault.url}${merchantScript}" ${integrity} crossorigin></script></head><body>
    <label for="number">Card number</label><div id="number" style="height:24px;width:300px"></div>
    <div id="expiry" style="height:24px;width:300px"></div><div id="code" style="height:24px;width:300px"></div>
    <script>
      const options = ${JSON.stringify({ number: "#number", expiry: "#expiry", code: "#code", ...options }).replaceAll("<", "\\u003c")};
      const states = [];
      const fields = Florin("${key}").fields(options).on("change", (state) => states.push(state)).on("enter", () => states.push({ enter: true }));
      window.shop = { fields, states };
    </script></body></html>`;

  const open = async (html = shopHtml(), path = "/shop", headers: Record<string, string> = {}): Promise<void> => {
    site.pages.set(path, { html, headers });
    await page.goto(site.origin + path);
  };
  const frameOf = (name: FieldName): Frame => required(page.frame({ url: `${vault.url}/fields/${name}` }), `the ${name} frame`);
  const input = (name: FieldName) => page.frameLocator(`#${name} iframe`).locator("input");
  const ready = () => page.evaluate(() => (shop.fields as unknown as { ready: Promise<void> }).ready);
  const createToken = (details: object = {}) => page.evaluate((given) => shop.fields.createToken(given), details);
  const lastState = (field: FieldName) => page.evaluate((name) => shop.states.filter((state) => state["field"] === name).at(-1), field);
  const fillIn = async (card: string, expiry = "12/35", code = "123"): Promise<void> => {
    await ready();
    await input("number").pressSequentially(card);
    await input("expiry").pressSequentially(expiry);
    await input("code").pressSequentially(code);
  };

  test("a typed card becomes a token, encrypted before it leaves the browser", async () => {
    await open();
    const sent: { type: string; body: string }[] = [];
    page.on("request", (request) => {
      if (request.method() === "POST") sent.push({ type: request.headers()["content-type"] ?? "", body: request.postData() ?? "" });
    });
    await fillIn(number);
    expect(await input("number").inputValue()).toBe("5200 8282 8282 8210");
    expect(await input("expiry").inputValue()).toBe("12 / 35");
    expect(await lastState("number")).toEqual({ field: "number", state: "complete", isFocused: false, brand: "mastercard" });
    const answer = await createToken({ name: "Ada Lovelace", billing: { postal_code: "1010" } });
    expect(answer).toMatchObject({
      token: { id: expect.stringMatching(/^tok_/), card: { brand: "mastercard", last4: "8210", exp_month: 12, exp_year: 2035 } },
    });
    expect(sent.map(({ type }) => type)).toEqual(["application/jose"]);
    expect(sent[0]?.body).toMatch(/^[\w-]+\.[\w-]{54}\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/);
    const header = JSON.parse(Buffer.from(sent[0]?.body.split(".")[0] ?? "", "base64url").toString()) as Record<string, unknown>;
    expect(header).toMatchObject({ alg: "ECDH-ES+A256KW", enc: "A256GCM", key, origin: site.origin });
    // No state that the page heard has a digit of the card in it.
    expect(JSON.stringify(await page.evaluate(() => shop.states))).not.toMatch(/\d{3}/);
  });

  test("a token may be asked for one payment and for a time, and what cannot be is told", async () => {
    await open();
    await fillIn(number);
    const { token } = (await createToken({ usage: "single_use", expires_in: 600 })) as { token?: unknown };
    expect(token).toMatchObject({ usage: "single_use" });
    const { created_at, expires_at } = token as { created_at: string; expires_at: string };
    expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(600_000);
    expect(await createToken({ usage: "twice" })).toMatchObject({ error: { code: "parameter_invalid" } });
  });

  test("a wrong number is shown as wrong, and nothing is sent", async () => {
    await open();
    let posts = 0;
    page.on("request", (request) => {
      if (request.method() === "POST") posts += 1;
    });
    await fillIn("5200828282828211");
    expect(await lastState("number")).toMatchObject({ state: "invalid" });
    expect(await input("number").getAttribute("aria-invalid")).toBe("true");
    expect(await page.frameLocator("#number iframe").getByRole("status").textContent()).toBe("The card number is not valid.");
    expect(await page.locator("#number").getAttribute("class")).toContain("florin-invalid");
    expect(await createToken()).toMatchObject({ error: { code: "card_number_invalid", field: "number" } });
    expect(posts).toBe(0);
    await input("number").fill("");
    await input("number").pressSequentially(number);
    expect(await createToken()).toMatchObject({ token: { card: { last4: "8210" } } });
  });

  test("what is empty, past or too short is named, and gets the focus", async () => {
    await open();
    await ready();
    expect(await createToken()).toMatchObject({ error: { code: "card_number_invalid", field: "number" } });
    await fillIn(number, "01/20", "12");
    expect(await lastState("expiry")).toMatchObject({ state: "invalid" });
    expect(await createToken()).toMatchObject({ error: { code: "card_expiry_invalid", field: "expiry" } });
    await input("expiry").fill("11/35");
    expect(await createToken()).toMatchObject({ error: { code: "card_cvc_invalid", field: "code" } });
    await expect.poll(() => frameOf("code").evaluate("document.hasFocus() && document.activeElement.tagName")).toBe("INPUT");
  });

  test("a pasted number is taken with its spaces, dashes and words", async () => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await open();
    await ready();
    // From a field of the page, as a payer copies it from a message.
    const copied = JSON.stringify("Card: 5200-8282 8282\t8210\n");
    await page.evaluate(`Object.assign(document.body.appendChild(document.createElement("textarea")), { value: ${copied} }).select()`);
    await page.keyboard.press("Control+C");
    await input("number").focus();
    await page.keyboard.press("Control+V");
    expect(await input("number").inputValue()).toBe("5200 8282 8282 8210");
    expect(await lastState("number")).toMatchObject({ state: "complete", brand: "mastercard" });
  });

  test("a digit that is typed or deleted in the middle leaves the caret where it was", async () => {
    await open();
    await ready();
    await input("number").pressSequentially("520082828282821");
    for (let presses = 0; presses < 7; presses++) await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("8");
    await page.keyboard.press("9");
    expect(await input("number").inputValue()).toBe("5200 8282 8928 2821");
    expect(await input("number").evaluate((element) => (element as unknown as { selectionStart: number }).selectionStart)).toBe(12);
  });

  test("the browser's autofill fills all three fields at once", async () => {
    await open();
    await ready();
    const session = await context.newCDPSession(frameOf("number"));
    const { root } = await session.send("DOM.getDocument");
    const { nodeId } = await session.send("DOM.querySelector", { nodeId: root.nodeId, selector: "input" });
    const { node } = await session.send("DOM.describeNode", { nodeId });
    await input("number").focus();
    const card = { number, name: "Ada Lovelace", expiryMonth: "12", expiryYear: "2035", cvc: "123" };
    const { frameTree } = await session.send("Page.getFrameTree");
    await session.send("Autofill.trigger", { fieldId: node.backendNodeId, frameId: frameTree.frame.id, card });
    expect(await input("number").inputValue()).toBe("5200 8282 8282 8210");
    expect(await createToken()).toMatchObject({ token: { card: { last4: "8210", exp_month: 12, exp_year: 2035 } } });
  });

  test("a keyboard is enough: Tab goes from field to field, Enter submits", async () => {
    await open();
    await ready();
    // Frames are processes of their own: the focus is with the next one a moment after the key.
    const hasFocus = (name: "number" | "expiry" | "code") => expect.poll(() => frameOf(name).evaluate("document.hasFocus()")).toBe(true);
    await input("number").focus();
    await page.keyboard.type(number);
    await page.keyboard.press("Tab");
    await hasFocus("expiry");
    await page.keyboard.type("1235");
    await page.keyboard.press("Tab");
    await hasFocus("code");
    await page.keyboard.type("123");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.evaluate(() => shop.states.some((state) => state["enter"] === true))).toBe(true);
    expect(await createToken()).toMatchObject({ token: { card: { last4: "8210" } } });
    await page.locator("label[for=number]").click();
    await hasFocus("number");
  });

  test("each field has a name, a keypad and the browser's word for what belongs there", async () => {
    await open();
    await ready();
    const found = await Promise.all(
      (["number", "expiry", "code"] as const).map(async (name) => {
        const attributes = ["autocomplete", "inputmode", "aria-label", "aria-describedby"];
        return Promise.all(attributes.map((attribute) => input(name).getAttribute(attribute)));
      }),
    );
    expect(found).toEqual([
      ["cc-number", "numeric", "Card number", "complaint"],
      ["cc-exp", "numeric", "Expiry date, month and year", "complaint"],
      ["cc-csc", "numeric", "Security code", "complaint"],
    ]);
    expect(await page.locator("iframe").evaluateAll((frames) => frames.map((frame) => frame.getAttribute("title")))).toEqual([
      "Card number",
      "Expiry date",
      "Security code",
    ]);
  });

  test("in a language that is written from right to left the digits still run from left to right", async () => {
    await open(shopHtml({ language: "ar" }));
    await ready();
    const number = input("number");
    await number.pressSequentially("5200828282828211");
    await page.keyboard.press("Tab");
    expect(await frameOf("number").evaluate("[document.documentElement.dir, document.documentElement.lang]")).toEqual(["rtl", "ar"]);
    expect(
      await frameOf("number").evaluate(
        "(({ direction, textAlign }) => [direction, textAlign])(getComputedStyle(document.querySelector('input')))",
      ),
    ).toEqual(["ltr", "right"]);
    expect(await page.frameLocator("#number iframe").getByRole("status").textContent()).toBe("رقم البطاقة غير صحيح.");
  });

  test("a page dresses the fields from the list, and is told what is not on it", async () => {
    const style = {
      base: { color: "rgb(1, 2, 3)", backgroundColor: "url(https://evil.example/a.png)", position: "fixed" },
      placeholder: { color: "red" },
    };
    await open(shopHtml({ style }));
    await ready();
    expect(await frameOf("code").evaluate("getComputedStyle(document.querySelector('input')).color")).toBe("rgb(1, 2, 3)");
    expect(await frameOf("code").evaluate("getComputedStyle(document.querySelector('input'), '::placeholder').color")).toBe(
      "rgb(255, 0, 0)",
    );
    expect(spoken.filter((line) => line.includes("the code field does not take the style"))).toEqual([
      "florin.js: the code field does not take the style base.backgroundColor",
      "florin.js: the code field does not take the style base.position",
    ]);
  });

  test("a key that was replaced since the page was opened is fetched again", async () => {
    await open();
    await fillIn(number);
    let keys = 0;
    await context.route("**/v1/tokens", (route) => {
      keys += 1;
      return keys === 1
        ? route.fulfill({ status: 400, json: { error: { code: "card_envelope_refused", message: "old" } } })
        : route.continue();
    });
    expect(await createToken()).toMatchObject({ token: { card: { last4: "8210" } } });
    expect(keys).toBe(2);
  });

  test("a vault that cannot be reached is an answer, and the next try is made", async () => {
    await open();
    await fillIn(number);
    await context.route("**/v1/tokens", (route) => route.abort());
    expect(await createToken()).toMatchObject({ error: { code: "unavailable" } });
    await context.unroute("**/v1/tokens");
    expect(await createToken()).toMatchObject({ token: { card: { last4: "8210" } } });
  });

  describe("a hostile page", () => {
    /** Everything that a script of the page can try, each on its own: what it got. */
    const attempts = `(async () => {
      const frame = document.querySelector("#number iframe");
      const heard = [];
      addEventListener("message", (event) => heard.push(JSON.stringify(event.data)));
      const tried = (read) => { try { return String(read()); } catch (error) { return error.name; } };
      const got = {
        document: tried(() => frame.contentDocument && frame.contentDocument.body.innerHTML),
        window: tried(() => frame.contentWindow.document.querySelector("input").value),
        peer: tried(() => frame.contentWindow.florinField.digits()),
        frames: tried(() => window.frames[0].florinField),
        location: tried(() => frame.contentWindow.location.href),
      };
      const post = (message) => frame.contentWindow.postMessage({ protocol: "florin.fields.1", field: "number", message }, "*");
      const group = "0123456789abcdef0123456789abcdef";
      for (const kind of ["read", "value", "digits", "state"]) post({ kind });
      // A second init: for another key, in a group of the page's own.
      post({ kind: "init", key: "pk_test_" + "1".repeat(26), group });
      // A field of the page's own in the form's group, which a messenger would hand the card to.
      const own = document.body.appendChild(document.createElement("iframe"));
      own.contentWindow.florinField = { field: "number", group, origin: location.origin, digits: () => "", examine: () => "complete", refresh() {} };
      post({ kind: "tokenize", id: "aaaaaaaaaaaaaaaa", name: "", billing: {} });
      await new Promise((resolve) => addEventListener("message", (event) => ["token", "error"].includes(event.data?.message?.kind) && resolve()));
      return { got, heard };
    })()`;

    test("cannot read the field, by any way that the browser has, nor turn it into another's token", async () => {
      await open();
      await fillIn(number);
      const keysUsed: string[] = [];
      page.on("request", (request) => keysUsed.push(request.headers()["authorization"] ?? ""));
      const { got, heard } = (await page.evaluate(attempts)) as { got: Record<string, string>; heard: string[] };
      expect(got).toEqual({
        document: "null",
        window: "SecurityError",
        peer: "SecurityError",
        frames: "SecurityError",
        location: "SecurityError",
      });
      expect(heard.join("\n")).not.toMatch(/5200 ?8282 ?8282|8282828210/);
      expect(keysUsed.filter((one) => one !== "")).toEqual([`Bearer ${key}`]);
    });

    test("gets no answer to messages of other frames or of itself under another origin", async () => {
      site.pages.set("/inner", {
        html: `<script>
          const field = parent.frames[0];
          for (const kind of ["focus", "clear"]) field.postMessage({ protocol: "florin.fields.1", field: "number", message: { kind } }, "*");
        </script>`,
      });
      await open();
      await fillIn(number);
      await page.evaluate(`new Promise((resolve) => {
        const inner = document.createElement("iframe");
        inner.onload = resolve;
        inner.src = "/inner";
        document.body.append(inner);
      })`);
      expect(await input("number").inputValue()).toBe("5200 8282 8282 8210");
    });

    test("cannot run a script in the frame by its address or its words", async () => {
      await open(shopHtml({ number: { on: "#number", label: "<img src=x onerror=alert(1)>", placeholder: "<script>alert(1)</script>" } }));
      await ready();
      let dialogs = 0;
      page.on("dialog", (dialog) => {
        dialogs += 1;
        return dialog.dismiss();
      });
      expect(await input("number").getAttribute("aria-label")).toBe("<img src=x onerror=alert(1)>");
      await page.evaluate(`document.querySelector("#number iframe").src += "?x=<script>alert(1)</script>#javascript:alert(1)"`);
      await page.waitForLoadState("networkidle");
      expect(dialogs).toBe(0);
    });
  });

  describe("a script", () => {
    const policy = (): string =>
      `default-src 'none'; script-src 'self' ${vault.url} 'nonce-shop'; frame-src ${vault.url}; style-src 'unsafe-inline'; connect-src 'self'`;
    const withNonce = (html: string): string => html.replaceAll("<script", '<script nonce="shop"');
    const integrity = async (): Promise<string> => {
      const { createHash } = await import("node:crypto");
      const text = await (await fetch(vault.url + merchantScript)).text();
      return `integrity="sha384-${createHash("sha384").update(text).digest("base64")}"`;
    };

    test("of a third party is blocked by the page's policy, which the fields live with", async () => {
      const stranger = await startSite();
      stranger.pages.set("/skimmer.js", { html: "window.skimmed = true", type: "text/javascript" });
      try {
        const html = shopHtml().replace(
          "</body>",
          `<script>
          addEventListener("securitypolicyviolation", (event) => { window.blocked = event.blockedURI; });
          const script = document.createElement("script");
          script.src = "${stranger.origin}/skimmer.js";
          document.body.append(script);
        </script></body>`,
        );
        await open(withNonce(html), "/guarded", { "content-security-policy": policy() });
        await fillIn(number);
        await expect.poll(() => page.evaluate("window.blocked")).toBe(`${stranger.origin}/skimmer.js`);
        expect(await page.evaluate("window.skimmed")).toBeUndefined();
        expect(stranger.requests).toEqual([]);
        expect(await createToken()).toMatchObject({ token: { card: { last4: "8210" } } });
      } finally {
        await stranger.close();
      }
    });

    test("of ours with one changed byte does not run: florin.js by the page's integrity value", async () => {
      await context.route(`**${merchantScript}`, async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: `${await response.text()} ` });
      });
      await open(shopHtml({}, "", await integrity()));
      expect(await page.evaluate("typeof window.Florin")).toBe("undefined");
    });

    test.each(["card.js", "jwe.js", "page/field.js", "words.js", "field.css"])(
      "of ours with one changed byte does not run: %s by the frame's",
      async (name) => {
        await context.route(`**/fields/${name}`, async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, body: `${await response.text()} ` });
        });
        await open();
        await expect.poll(() => spoken.some((line) => line.includes("integrity"))).toBe(true);
        if (name === "field.css") return;
        // The page has loaded, so a script of the field would have run, and put a gap behind the fourth digit.
        await input("number").pressSequentially("52008");
        expect(await input("number").inputValue()).toBe("52008");
      },
    );

    test("without an integrity value, or inline, is not run in a frame, even if the frame's own document asks for it", async () => {
      await context.route("**/fields/number", async (route) => {
        const response = await route.fetch();
        const body = (await response.text()).replace(
          "</body>",
          '<script src="/fields/caret.js"></script><script>window.skimmed = 1</script></body>',
        );
        await route.fulfill({ response, body });
      });
      await open();
      await expect.poll(() => spoken.filter((line) => /Content Security Policy|[Ii]ntegrity/.test(line)).length).toBeGreaterThanOrEqual(2);
      expect(await frameOf("number").evaluate("window.skimmed")).toBeUndefined();
    });
  });
});
