import { createHmac } from "node:crypto";
import { Secret } from "@florin/kernel";
import { expect, test } from "vitest";
import { createSignatureCheck, type Signed } from "./signature.ts";

const nowMs = 1_700_000_000_000;
const body = Buffer.from('{"a":1}');
const bytesOf = (fill: number) => Buffer.alloc(32, fill);
const check = createSignatureCheck({
  keys: new Map([
    ["old", new Secret(bytesOf(1))],
    ["new", new Secret(bytesOf(2))],
  ]),
  toleranceMs: 300_000,
});

function signed(change: Partial<Signed> & { readonly key?: Uint8Array } = {}): Signed {
  const { key = bytesOf(2), keyId = "new", time = String(nowMs / 1_000), body: over = body } = change;
  const signature = change.signature ?? createHmac("sha256", key).update(`${time}.`).update(over).digest("hex");
  return { keyId, time, signature, body: over };
}

test("each key signs under its own name while one replaces the other", () => {
  expect(check(signed(), nowMs)).toBe("right");
  expect(check(signed({ key: bytesOf(1), keyId: "old" }), nowMs)).toBe("right");
  expect(check(signed({ key: bytesOf(1), keyId: "new" }), nowMs)).toBe("signature_wrong");
});

test.each([
  ["a name that nobody has", signed({ keyId: "other" })],
  ["a name that nobody has, signed with zeros", signed({ keyId: "other", key: bytesOf(0) })],
  ["a name that nobody has, signed with nothing", signed({ keyId: "", key: Buffer.alloc(0) })],
  ["a property of every object", signed({ keyId: "__proto__", key: bytesOf(0) })],
  ["another body", { ...signed(), body: Buffer.from('{"a":2}') }],
  ["another time", { ...signed(), time: String(nowMs / 1_000 + 1) }],
  ["time and body cut elsewhere", { ...signed(), time: `${nowMs / 1_000}.{`, body: Buffer.from('"a":1}') }],
  ["no signature", signed({ signature: "" })],
  ["a longer one", signed({ signature: `${signed().signature}00` })],
  ["no hex", signed({ signature: "zz".repeat(32) })],
  ["half hex", signed({ signature: `${signed().signature.slice(0, 32)}${"zz".repeat(16)}` })],
])("%s is wrong", (_what, one) => {
  expect(check(one, nowMs)).toBe("signature_wrong");
});

test("the time may be off by the tolerance, to both sides, and has to be a time", () => {
  const at = (seconds: number) => check(signed({ time: String(nowMs / 1_000 + seconds) }), nowMs);
  expect([at(300), at(-300), at(301), at(-301)]).toEqual(["right", "right", "time_wrong", "time_wrong"]);
  for (const time of ["", "now", "1.7e9", "-1", "9".repeat(13)]) expect(check(signed({ time }), nowMs)).toBe("time_wrong");
});
