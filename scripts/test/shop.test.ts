/** The shop that `up` starts: a person types a card in Chromium and has paid. `FLORIN_SCREENSHOTS=docs/images` keeps what it looked like. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumProgram, launchBrowser, whySkipped } from "../../vault/test/browser.ts";
import { rootFolder } from "../root-folder.ts";
import type { UpFile } from "../up/state-files.ts";
import { down, getPayment, up } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "florin-shop-"));
const screenshots = process.env["FLORIN_SCREENSHOTS"];
let stack: UpFile;
let browser: Browser;

describe.skipIf(chromiumProgram === undefined)(`the demo shop in Chromium${whySkipped}`, () => {
  beforeAll(async () => {
    [stack, browser] = await Promise.all([up(directory), launchBrowser()]);
  });

  afterAll(async () => {
    await browser?.close();
    await down(directory);
    rmSync(directory, { recursive: true, force: true });
  });

  const open = async (viewport = { width: 480, height: 600 }): Promise<Page> => {
    const page = await browser.newPage({ viewport });
    await page.goto(stack.shopUrl);
    await page.getByRole("button", { disabled: false }).waitFor();
    return page;
  };
  const type = async (page: Page, values: Readonly<Record<"number" | "expiry" | "code", string>>): Promise<void> => {
    for (const [name, value] of Object.entries(values))
      await page.frameLocator(`#card-${name} iframe`).locator("input").pressSequentially(value);
  };
  const keep = async (page: Page, name: string): Promise<void> => {
    if (screenshots !== undefined)
      await page.screenshot({ path: resolve(rootFolder, screenshots, `${name}.png`), animations: "disabled", caret: "hide" });
  };
  const outcomeOf = async (page: Page): Promise<string> => {
    const outcome = page.locator("#outcome[data-kind=paid], #outcome[data-kind=refused]");
    await outcome.waitFor();
    return (await outcome.textContent()) ?? "";
  };

  test("a typed card pays, and the payment is at the edge with that card", async () => {
    const page = await open();
    await keep(page, "card-fields-empty");
    await type(page, { number: "4242424242424242", expiry: "1235", code: "123" });
    await keep(page, "card-fields-complete");
    await page.keyboard.press("Enter");
    const text = await outcomeOf(page);
    expect(text).toMatch(/^Thank you! Payment pay_\w+ is (authorized|captured)\.$/);
    await keep(page, "card-fields-paid");
    const { status, body } = await getPayment(stack, /pay_\w+/.exec(text)?.[0] ?? "");
    expect([status, body]).toMatchObject([
      200,
      { amount: 1_450, currency: "EUR", payment_method: { card: { brand: "visa", last4: "4242" } } },
    ]);
    await page.close();
  });

  test("a wrong card is told before anything is sent, a declined one after", async () => {
    const page = await open();
    await type(page, { number: "5555555555554445", expiry: "0120", code: "12" });
    await page.getByRole("button").click();
    expect(await outcomeOf(page)).toBe("The card number is not valid.");
    await keep(page, "card-fields-wrong");
    await page.close();
    const again = await open();
    await type(again, { number: "4000000000000002", expiry: "1235", code: "123" });
    await again.getByRole("button").click();
    expect(await outcomeOf(again)).toBe("Your bank said no. Try another card.");
    await again.close();
  });

  test("fits a telephone", async () => {
    const page = await open({ width: 360, height: 640 });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    await page.close();
  });

  test("leaves no card number in any log of the stack", () => {
    const folder = join(directory, "logs");
    const logs = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")] as const);
    expect(logs.map(([name]) => name)).toContain("vault.log");
    for (const [name, text] of logs) expect([name, /4242 ?4242 ?4242|4000 ?0000 ?0000 ?0002|5555 ?5555/.test(text)]).toEqual([name, false]);
  });
});
