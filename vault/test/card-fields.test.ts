/** The card fields in Chromium: what a payer does, what a page can and cannot see, and what happens to scripts that were changed. */
import { required } from "@florin/kernel";
import type { Browser, BrowserContext, Frame, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { merchantScript } from "../src/rest/field-files.ts";
import { chromiumProgram, launchBrowser, type Site, startSite } from "./browser.ts";
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

describe.skipIf(chromiumProgram === undefined)("card fields in Chromium", () => {
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
      const options = ${JSON.stringify({ number: "#number", expiry: "#expiry", code: "#code", ...options })};
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
});
