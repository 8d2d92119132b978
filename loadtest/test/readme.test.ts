/** What the README tells a newcomer to type is typed here, word for word but for the port and the folder of the stack. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "./stack.ts";

const root = new URL("../../", import.meta.url).pathname;
let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ profile: "embedded" });
});
afterAll(async () => {
  await stack?.stop();
});

/** The shell lines of one section of a page. */
function commandsOf(page: string, heading: string): string {
  const text = readFileSync(`${root}${page}`, "utf8");
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`));
  const blocks = [...(section ?? "").matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  if (blocks.length === 0) throw new Error(`${page} has no commands under "${heading}"`);
  return blocks.join("");
}

/** Runs the lines in one shell, which ends at the first that fails. Gives the JSON texts that were printed. */
async function type(commands: string): Promise<Record<string, unknown>[]> {
  const here = commands
    .replaceAll(/(http:\/\/127\.0\.0\.1|localhost):8080/g, stack.edgeUrl)
    .replaceAll("./.florin/", `${stack.directory}/`);
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", here], {
    cwd: root,
    env: { ...process.env, SECRET_KEY: stack.secretKey },
  });
  return stdout
    .trim()
    .split(/(?<=\})\s*(?=\{)/)
    .map((text) => JSON.parse(text) as Record<string, unknown>);
}

test("a first payment is authorized, captured, refunded and accounted for by the commands of the README", async () => {
  const commands = commandsOf("README.md", "A first payment");
  const [authorized, captured, refunded, timeline, ...more] = await type(commands);
  expect(authorized).toMatchObject({ status: "authorized", amount_authorized: 1_000, merchant_reference: "order-1" });
  expect(captured).toMatchObject({ id: authorized?.["id"], status: "partially_captured", amount_captured: 500, amount_remaining: 500 });
  expect(refunded).toMatchObject({ id: authorized?.["id"], status: "partially_refunded", amount_refunded: 500 });
  expect(timeline?.["data"]).toContainEqual(expect.objectContaining({ type: "refund_requested", details: { reason: "returned" } }));
  expect(more).toEqual([]);

  // Whoever types all of it again does no harm: every key is known.
  const again = await type(commands);
  expect(again.slice(0, 3)).toEqual([authorized, captured, refunded]);
});

test("the command in the edge's README authorizes a payment", async () => {
  const [authorized] = await type(commandsOf("gateway-edge/README.md", "REST"));
  expect(authorized).toMatchObject({ status: "authorized", merchant_reference: "order-1001" });
});
