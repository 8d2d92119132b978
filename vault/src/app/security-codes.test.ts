import { Secret } from "@florin/kernel";
import { expect, test } from "vitest";
import { createSecurityCodes } from "./security-codes.ts";

const code = (text: string) => new Secret(Buffer.from(text));
const text = (secret: Secret | undefined) => (secret === undefined ? undefined : Buffer.from(secret.expose()).toString());

test("a code is given out once", () => {
  const codes = createSecurityCodes({ now: () => 0 });
  codes.keep("tok_a", code("123"));
  codes.keep("tok_b", code("4567"));
  expect(text(codes.take("tok_a"))).toBe("123");
  expect(codes.take("tok_a")).toBeUndefined();
  expect(text(codes.take("tok_b"))).toBe("4567");
  expect(codes.take("tok_c")).toBeUndefined();
  codes.close();
});

test("a code lives fifteen minutes", () => {
  let nowMs = 0;
  const codes = createSecurityCodes({ now: () => nowMs });
  codes.keep("tok_a", code("123"));
  codes.keep("tok_b", code("123"));
  nowMs = 899_999;
  expect(text(codes.take("tok_a"))).toBe("123");
  nowMs = 900_000;
  expect(codes.take("tok_b")).toBeUndefined();
  codes.close();
});

test("when too many wait, the oldest is forgotten for a new one", () => {
  const codes = createSecurityCodes({ now: () => 0, codesMax: 2 });
  for (const token of ["tok_a", "tok_b", "tok_c"]) codes.keep(token, code("123"));
  expect(codes.size).toBe(2);
  expect(codes.take("tok_a")).toBeUndefined();
  expect(text(codes.take("tok_c"))).toBe("123");
  codes.close();
});

test("closing forgets everything, and what is taken prints masked", () => {
  const codes = createSecurityCodes({ now: () => 0 });
  codes.keep("tok_a", code("123"));
  expect(JSON.stringify(codes.take("tok_a"))).not.toContain("123");
  codes.keep("tok_b", code("123"));
  codes.close();
  expect(codes.size).toBe(0);
});

test("a PIN block is kept beside the code of its token, given out once, and forgotten with it", () => {
  let nowMs = 0;
  const codes = createSecurityCodes({ now: () => nowMs });
  codes.keep("tok_a", code("123"));
  codes.keepPin("tok_a", code("block"));
  expect([text(codes.takePin("tok_a")), text(codes.take("tok_a"))]).toEqual(["block", "123"]);
  expect([codes.takePin("tok_a"), codes.takePin("tok_b")]).toEqual([undefined, undefined]);
  codes.keep("tok_a", code("123"));
  codes.keepPin("tok_a", code("block"));
  codes.forget("tok_a");
  expect(codes.size).toBe(0);
  codes.keepPin("tok_a", code("block"));
  nowMs = 900_000;
  expect(codes.takePin("tok_a")).toBeUndefined();
  codes.close();
});
