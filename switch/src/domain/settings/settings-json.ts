/** The text of a settings document: strict JSON of a bounded length in which no object names a field twice. */
import { textLengthMax } from "./bounds.ts";
import type { SettingsProblem } from "./parse-settings.ts";

export type ReadJson =
  | { readonly kind: "json"; readonly json: unknown }
  | { readonly kind: "invalid"; readonly problems: readonly SettingsProblem[] };

const invalid = (problem: string): ReadJson => ({ kind: "invalid", problems: [{ path: "", problem }] });

export function readSettingsJson(text: string): ReadJson {
  if (text.length > textLengthMax) return invalid(`is longer than ${textLengthMax} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The engine's message quotes the text.
    return invalid("is not JSON");
  }
  return hasFieldTwice(text) ? invalid("names a field twice in one object, and only the last would count") : { kind: "json", json };
}

/** `text` is JSON already, so a string before a colon is a field's name, and everything else between brackets is a value. */
function hasFieldTwice(text: string): boolean {
  const open: Set<string>[] = [];
  const tokens = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g;
  for (const [token, colon] of text.matchAll(tokens)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (colon !== undefined) {
      const name = JSON.parse(token.slice(0, -colon.length)) as string;
      const names = open.at(-1);
      if (names?.has(name)) return true;
      names?.add(name);
    }
  }
  return false;
}
