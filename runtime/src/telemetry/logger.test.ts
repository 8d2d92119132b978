import { AppError, Secret } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { createLogger } from "./logger.ts";

function capture(level = "info") {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ service: "edge", level, write: (line) => void lines.push(JSON.parse(line)) });
  return { logger, lines };
}

describe("createLogger", () => {
  test("a line has level, ISO time, service, fields and a message", () => {
    const { logger, lines } = capture();
    logger.info({ payment_id: "pay_1", duration_ms: 12 }, "payment authorized");
    expect(lines[0]).toMatchObject({ level: "info", service: "edge", payment_id: "pay_1", duration_ms: 12, msg: "payment authorized" });
    expect(String(lines[0]?.["time"])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test("a request's logger carries its id", () => {
    const { logger, lines } = capture();
    logger.child({ request_id: "req_1" }).warn("slow");
    expect(lines[0]).toMatchObject({ request_id: "req_1", level: "warn" });
  });

  test("a secret prints its mask wherever it stands", () => {
    const { logger, lines } = capture();
    const secret = new Secret(Buffer.from("4242424242424242"), "424242******4242");
    logger.info({ token: secret, deep: { list: [secret] } }, "x");
    expect(lines[0]).toMatchObject({ token: "424242******4242", deep: { list: ["424242******4242"] } });
  });

  test("a card number in the message, a field, a child's binding or an error's cause is masked", () => {
    const { logger, lines } = capture();
    const err = new AppError("internal", "bad", { work: "unknown", cause: new Error("refused 4242424242424242") });
    logger.child({ note: "4242 4242 4242 4242" }).error({ err, text: "x4242424242424242" }, "card 4242-4242-4242-4242");
    expect(JSON.stringify(lines)).not.toMatch(/4242.?4242/);
    expect(lines[0]).toMatchObject({ msg: "card [masked number]", err: { cause: { message: "refused [masked number]" } } });
  });

  test("a masked line is followed by an alarm that names service and field, and not the number", () => {
    const { logger, lines } = capture();
    logger.warn({ note: "4242424242424242" }, "x");
    expect(lines).toMatchObject([{ note: "[masked number]" }, { level: "error", service: "edge", field: "note" }]);
    logger.warn({ note: "harmless" }, "x");
    expect(lines).toHaveLength(3);
  });

  test("an error is its name, code, work, message, stack and causes, and nothing that a driver hung on it", () => {
    const { logger, lines } = capture();
    const cause = Object.assign(new Error("duplicate key"), { code: "23505", detail: "Key (email)=(a@b.c) exists" });
    logger.error({ err: new AppError("unavailable", "the database is away", { work: "not_done", cause }) }, "failed");
    expect(lines[0]?.["err"]).toMatchObject({
      name: "AppError",
      code: "unavailable",
      work: "not_done",
      cause: { code: "23505", message: "duplicate key" },
    });
    expect(JSON.stringify(lines)).not.toContain("a@b.c");
  });

  test("bigints and circles do not break a line", () => {
    const { logger, lines } = capture();
    const circle: Record<string, unknown> = { amount: 12n };
    circle["self"] = circle;
    logger.info({ position: 9_007_199_254_740_993n, circle }, "x");
    expect(lines).toHaveLength(1);
  });

  test("levels below the one asked for are silent", () => {
    const { logger, lines } = capture("error");
    logger.info("no");
    logger.error("yes");
    expect(lines).toHaveLength(1);
  });
});
