import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { protocol, readPageMessage } from "./messages.ts";
import { admitStyle, fieldStates, styleProperties } from "./style.ts";
import { directionOf, wordsOf } from "./words.ts";

const key = `pk_test_${"0".repeat(26)}`;
const group = "0123456789abcdef";
const sent = (message: unknown, field = "number") => ({ protocol, field, message });

describe("what a page says", () => {
  test("is read into values of ours", () => {
    expect(readPageMessage(sent({ kind: "init", key, group, language: "de", label: "Karte", style: {}, more: 1 }), "number")).toEqual({
      kind: "init",
      key,
      group,
      language: "de",
      label: "Karte",
      placeholder: "",
      style: {},
    });
    expect(readPageMessage(sent({ kind: "tokenize", id: group, name: 7, billing: { postal_code: "1010", x: 1 } }), "number")).toEqual({
      kind: "tokenize",
      id: group,
      name: "",
      billing: { postal_code: "1010" },
      terms: {},
    });
    expect(readPageMessage(sent({ kind: "focus", x: 1 }), "number")).toEqual({ kind: "focus" });
  });

  test("terms that a page got wrong stay wrong, for the vault to refuse", () => {
    const termsOf = (terms: unknown) => readPageMessage(sent({ kind: "tokenize", id: group, terms }), "number");
    expect(termsOf({ usage: "single_use", expires_in: 600, x: 1 })).toMatchObject({ terms: { usage: "single_use", expires_in: 600 } });
    expect(termsOf({ usage: "once" })).toMatchObject({ terms: { usage: "once" } });
    expect(termsOf({ usage: 1, expires_in: "600" })).toMatchObject({ terms: { usage: "", expires_in: 0 } });
  });

  test.each([
    ["for another field", sent({ kind: "focus" }, "code")],
    ["of another protocol", { ...sent({ kind: "focus" }), protocol: "other" }],
    ["of an unknown kind", sent({ kind: "read" })],
    ["without a good key", sent({ kind: "init", key: "sk_test_1", group })],
    ["without a group", sent({ kind: "init", key })],
    ["that asks for a token without a name for the answer", sent({ kind: "tokenize", id: "<b>" })],
    ["that is text", "init"],
    ["that is a list", [sent({ kind: "focus" })]],
  ])("%s is dropped", (_what, data) => expect(readPageMessage(data, "number")).toBeUndefined());

  test("never makes a field throw, whatever it is", () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (data, message) => {
        readPageMessage(data, "number");
        readPageMessage(sent(message), "number");
        readPageMessage(sent({ kind: "init", key, group, style: message }), "number");
        admitStyle(data);
      }),
    );
  });
});

describe("the style of a field", () => {
  test("takes the properties of the list", () => {
    const { declarations, refused } = admitStyle({
      base: { color: "#123", fontFamily: '"Inter", sans-serif', padding: "0 8px", backgroundColor: "rgb(1 2 3 / 40%)" },
      placeholder: { color: "gray" },
    });
    expect(refused).toEqual([]);
    expect(declarations).toContainEqual({ state: "base", property: "background-color", value: "rgb(1 2 3 / 40%)" });
    expect(declarations).toContainEqual({ state: "placeholder", property: "color", value: "gray" });
  });

  test.each([
    ["a picture from elsewhere", { base: { backgroundColor: "url(https://evil.example/a.png)" } }, "base.backgroundColor"],
    ["a second declaration", { base: { color: "red; position: fixed" } }, "base.color"],
    ["a variable", { base: { color: "var(--x)" } }, "base.color"],
    ["an escape", { base: { color: "\\75rl(x)" } }, "base.color"],
    ["a property that is not listed", { base: { position: "fixed" } }, "base.position"],
    ["a state that is not listed", { hover: { color: "red" } }, "hover"],
    ["an inherited name", { base: { constructor: "red" } }, "base.constructor"],
    ["a number", { base: { fontSize: 16 } }, "base.fontSize"],
    ["much text", { base: { fontFamily: "a".repeat(101) } }, "base.fontFamily"],
  ])("refuses %s and says so", (_what, style, name) => expect(admitStyle(style)).toEqual({ declarations: [], refused: [name] }));
});

test("the merchant's guide lists the states and properties that a style may have, and no other", () => {
  const guide = readFileSync(new URL("../../../docs/guides/card-fields.md", import.meta.url), "utf8");
  const list = /A closed list, for ([^:]+): ([^.]+)\./.exec(guide);
  const named = (text = "") => [...text.matchAll(/`(\w+)`/g)].map((match) => match[1]).sort();
  expect(named(list?.[1])).toEqual([...fieldStates].sort());
  expect(named(list?.[2])).toEqual(Object.keys(styleProperties).sort());
});

describe("words", () => {
  test("are in the payer's language, or English", () => {
    expect(wordsOf("de-AT").number).toBe("Kartennummer");
    expect(wordsOf("xx").number).toBe("Card number");
    expect(wordsOf("constructor").number).toBe("Card number");
  });

  test("run from right to left where the language does", () => {
    expect([directionOf("ar-EG"), directionOf("he"), directionOf("en")]).toEqual(["rtl", "rtl", "ltr"]);
  });
});
