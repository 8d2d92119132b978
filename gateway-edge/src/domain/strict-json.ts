/**
 * JSON, read strictly: what `JSON.parse` would silently accept or repair is refused.
 *
 * `JSON.parse` comes first and judges the syntax (trailing text, comments, bad escapes, leading zeros). The scan then walks the text once,
 * which may now be read without checks, for what the parsed value no longer shows: duplicate keys, numbers that are not plain integers (`1.0`,
 * `1e3`, `-0`), nesting, `__proto__`, half of a surrogate pair. Time is linear in the text, which is bounded by the limit on bodies.
 *
 * Not here: which fields there may be (schemas).
 */

export type JsonFault = {
  /** `malformed` has no path. */
  readonly kind: "malformed" | "too_deep" | "duplicate_key" | "forbidden_key" | "lone_surrogate" | "number_not_integer";
  /** "payment_method.token", "list.0"; empty at the top. Of a name that is no text: the object it stands in. */
  readonly path: string;
};
export type JsonResult = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly fault: JsonFault };

/** Keys of small objects are compared one by one; beyond this many a set takes over. */
const listedKeysMax = 8;

type Frame = {
  readonly isObject: boolean;
  readonly keys: string[];
  keySet: Set<string> | undefined;
  /** Key of the member, or index of the element, that is being read. */
  at: string | number;
};

/** `depthMax`: objects and arrays inside each other, the outermost counted. */
export function parseStrictJson(text: string, depthMax: number): JsonResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, fault: { kind: "malformed", path: "" } };
  }
  const fault = scan(text, depthMax);
  return fault === undefined ? { ok: true, value } : { ok: false, fault };
}

const quote = 0x22;
const comma = 0x2c;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** `text` is valid JSON. Returns the first thing that a strict reader refuses. */
function scan(text: string, depthMax: number): JsonFault | undefined {
  const frames: Frame[] = [];
  // Where the next escape is: found once and moved on, so that looking for it stays linear.
  let escapeAt = nextEscape(text, 0);
  const hasHalves = !text.isWellFormed();
  let top: Frame | undefined;
  let isKeyNext = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === quote) {
      if (escapeAt < index) escapeAt = nextEscape(text, index);
      let end = text.indexOf('"', index + 1);
      const isEscaped = escapeAt < end;
      if (isEscaped) end = stringEnd(text, escapeAt);
      if (isKeyNext && top !== undefined) {
        const key = isEscaped ? (JSON.parse(text.slice(index, end + 1)) as string) : text.slice(index + 1, end);
        top.at = key;
        const kind = keyFault(top, key);
        // A broken name is not repeated: the path is that of the object it stands in.
        if (kind !== undefined) return { kind, path: pathOf(kind === "lone_surrogate" ? frames.slice(0, -1) : frames) };
      } else if ((isEscaped || hasHalves) && !(JSON.parse(text.slice(index, end + 1)) as string).isWellFormed()) {
        return { kind: "lone_surrogate", path: pathOf(frames) };
      }
      index = end;
    } else if (code === colon) {
      isKeyNext = false;
    } else if (code === comma) {
      if (top?.isObject === true) isKeyNext = true;
      else if (top !== undefined) top.at = (top.at as number) + 1;
    } else if (code === openBrace || code === openBracket) {
      if (frames.length >= depthMax) return { kind: "too_deep", path: pathOf(frames) };
      top = { isObject: code === openBrace, keys: [], keySet: undefined, at: code === openBrace ? "" : 0 };
      frames.push(top);
      isKeyNext = top.isObject;
    } else if (code === closeBrace || code === closeBracket) {
      frames.pop();
      top = frames.at(-1);
      isKeyNext = false;
    } else if (code === minus || (code >= zero && code <= nine)) {
      const end = numberEnd(text, index);
      if (!isPlainInteger(text, index, end)) return { kind: "number_not_integer", path: pathOf(frames) };
      index = end - 1;
    }
  }
  return undefined;
}

/** Index of the next backslash; behind the text when there is none. */
function nextEscape(text: string, from: number): number {
  const index = text.indexOf("\\", from);
  return index === -1 ? text.length : index;
}

/** Index of the closing quote of the string that `from` lies in. */
function stringEnd(text: string, from: number): number {
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === backslash) index += 1;
    else if (code === quote) return index;
  }
  return text.length;
}

function keyFault(frame: Frame, key: string): JsonFault["kind"] | undefined {
  // Names that would reach an object's machinery where somebody copies fields without care.
  if (key === "__proto__") return "forbidden_key";
  if (!key.isWellFormed()) return "lone_surrogate";
  if (frame.keySet !== undefined ? frame.keySet.has(key) : frame.keys.includes(key)) return "duplicate_key";
  if (frame.keySet !== undefined) frame.keySet.add(key);
  else if (frame.keys.push(key) > listedKeysMax) frame.keySet = new Set(frame.keys);
  return undefined;
}

/** Index behind the number that begins at `start`. */
function numberEnd(text: string, start: number): number {
  let index = start + 1;
  for (; index < text.length; index++) {
    const code = text.charCodeAt(index);
    // Digits, and of the rest of a number "+", "-", ".", "E" and "e".
    if (!((code >= zero && code <= nine) || code === 0x2b || code === minus || code === 0x2e || code === 0x45 || code === 0x65)) break;
  }
  return index;
}

/** Digits with at most a minus before them, and not minus zero. */
function isPlainInteger(text: string, start: number, end: number): boolean {
  const isNegative = text.charCodeAt(start) === minus;
  const first = isNegative ? start + 1 : start;
  for (let index = first; index < end; index++) {
    const code = text.charCodeAt(index);
    if (code < zero || code > nine) return false;
  }
  return !(isNegative && text.charCodeAt(first) === zero);
}

function pathOf(frames: readonly Frame[]): string {
  return frames.map((frame) => frame.at).join(".");
}
