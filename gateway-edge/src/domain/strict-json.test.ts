import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseStrictJson } from "./strict-json.ts";

const depthMax = 4;
const faultOf = (text: string) => {
  const result = parseStrictJson(text, depthMax);
  return result.ok ? undefined : result.fault;
};

describe("strict JSON", () => {
  test.each([
    ['{"amount":100}', { amount: 100 }],
    [' { "a" : [ 1 , -2 , {"b":"x"} ] , "c":null,"d":true } ', { a: [1, -2, { b: "x" }], c: null, d: true }],
    ['{"a":"1.5 {\\"a\\":1}, [","b":"}"}', { a: '1.5 {"a":1}, [', b: "}" }],
    ['{"a\\\\":1,"a":2,"\\"":3}', { "a\\": 1, a: 2, '"': 3 }],
    ['{"a":{"x":1},"b":{"x":1}}', { a: { x: 1 }, b: { x: 1 } }],
    ['{"e":"😀","f":"\\ud83d\\ude00","constructor":"fine"}', { e: "😀", f: "😀", constructor: "fine" }],
    ["0", 0],
    ['"1e5"', "1e5"],
    ["[]", []],
  ])("%s is read as it is", (text, value) => {
    expect(parseStrictJson(text, depthMax)).toEqual({ ok: true, value });
  });

  test.each([
    ["", "malformed", ""],
    ["{", "malformed", ""],
    ['{"a":1} x', "malformed", ""],
    ['{"a":1}{"a":1}', "malformed", ""],
    ['{"a":1,}', "malformed", ""],
    ["{'a':1}", "malformed", ""],
    ['{"a":01}', "malformed", ""],
    ['{"a":+1}', "malformed", ""],
    ['{"a":NaN}', "malformed", ""],
    ['{"a":"\t"}', "malformed", ""],
    ['{"a":"\\x41"}', "malformed", ""],
    ["\ufeff{}", "malformed", ""],
    ['{"a":1,"a":1}', "duplicate_key", "a"],
    ['{"a":1,"\\u0061":2}', "duplicate_key", "a"],
    ['{"m":{"x":"1","y":"2","x":"3"}}', "duplicate_key", "m.x"],
    [`{${Array.from({ length: 40 }, (_, index) => `"k${index}":1`).join(",")},"k39":2}`, "duplicate_key", "k39"],
    ['{"amount":1.0}', "number_not_integer", "amount"],
    ['{"amount":1e3}', "number_not_integer", "amount"],
    ['{"amount":1E+3}', "number_not_integer", "amount"],
    ['{"amount":-0}', "number_not_integer", "amount"],
    ['{"amount":1e400}', "number_not_integer", "amount"],
    ['{"list":[1,{"amount":2.5}]}', "number_not_integer", "list.1.amount"],
    ["1.5", "number_not_integer", ""],
    ["[[[[[]]]]]", "too_deep", "0.0.0.0"],
    ['{"a":{"a":{"a":{"a":{}}}}}', "too_deep", "a.a.a.a"],
    ['{"__proto__":{}}', "forbidden_key", "__proto__"],
    ['{"m":{"\\u005f_proto__":1}}', "forbidden_key", "m.__proto__"],
    ['{"a":"\\ud800"}', "lone_surrogate", "a"],
    ['{"a":"\\udc00x"}', "lone_surrogate", "a"],
    ['{"a":"x\ud800"}', "lone_surrogate", "a"],
    ['{"\\ud800":1}', "lone_surrogate", ""],
    ['{"a":{"x\\ud800":1}}', "lone_surrogate", "a"],
  ])("%s is refused as %s", (text, kind, path) => {
    expect(faultOf(text)).toEqual({ kind, path });
  });

  test("an unpaired escape behind a string without one is found", () => {
    expect(faultOf('{"a":"plain","b":"\\udfff"}')?.kind).toBe("lone_surrogate");
  });

  test("deep nesting and many keys take no long time", () => {
    expect(faultOf("[".repeat(100_000))?.kind).toBe("malformed");
    expect(faultOf(`${"[".repeat(8_000)}${"]".repeat(8_000)}`)?.kind).toBe("too_deep");
    const keys = `{${Array.from({ length: 100_000 }, (_, index) => `"k${index}":1`).join(",")}}`;
    const startedAtMs = performance.now();
    expect(faultOf(keys)).toBeUndefined();
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  });

  test("whatever JSON.stringify writes of integers and well-formed text is read back", () => {
    const leaf = fc.oneof(fc.integer(), fc.string({ unit: "grapheme" }), fc.boolean(), fc.constant(null));
    const key = fc.string({ unit: "grapheme" }).filter((text) => text !== "__proto__");
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
    const shape = fc.dictionary(key, fc.oneof(leaf, fc.array(leaf), fc.dictionary(key, leaf)), { noNullPrototype: true });
    fc.assert(
      fc.property(shape, fc.constantFrom(undefined, 2), (value, indent) => {
        expect(parseStrictJson(JSON.stringify(value, null, indent), depthMax)).toEqual({ ok: true, value: plain(value) });
      }),
    );
  });

  test("a repeated key is found wherever it stands", () => {
    const key = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => text !== "__proto__");
    fc.assert(
      fc.property(fc.uniqueArray(key, { minLength: 1, maxLength: 30 }), fc.nat(), (keys, position) => {
        const repeated = keys[position % keys.length] as string;
        const members = [...keys, repeated].map((name) => `${JSON.stringify(name)}:"x"`);
        expect(faultOf(`{${members.join(",")}}`)).toEqual({ kind: "duplicate_key", path: repeated });
      }),
    );
  });

  test("any text is either read as JSON.parse reads it or refused, never anything else", () => {
    const fragment = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "a",
      '"a"',
      "\\",
      "\\u0041",
      "1",
      "-",
      ".",
      "e",
      "0",
      " ",
      "null",
      "\n",
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 40 }), (fragments) => {
        const text = fragments.join("");
        const result = parseStrictJson(text, depthMax);
        if (result.ok) expect(result.value).toEqual(JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
  });
});
