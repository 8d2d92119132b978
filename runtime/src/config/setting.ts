/**
 * One setting: which variable, what it means, its unit, its default, whether it is a secret, and how its text is read.
 *
 * A parser returns a problem instead of throwing, so that all problems of a process are shown in one message. A problem never quotes
 * the value of a secret. An empty variable counts as not set.
 *
 * A setting also knows what it must not be in production: a secret of a sandbox or a made-up one, TLS that is off, a switch of tests.
 */
import { Secret } from "@florin/kernel";
import { sandboxTlsProblem } from "../tls/index.ts";
import { weaknessOfKey, weaknessOfPassword } from "./weak-secret.ts";

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

export type Setting<T> = {
  /** Name of the environment variable. */
  readonly env: string;
  readonly help: string;
  /** What the value looks like: "integer 1 to 65535", "sandbox | production". */
  readonly shape: string;
  readonly unit: string | undefined;
  /** As it would be written in the environment; undefined when there is none to show. */
  readonly defaultText: string | undefined;
  /** True when the process refuses to start without it. */
  readonly isRequired: boolean;
  readonly isSecret: boolean;
  /** The variable that makes this one required; undefined where it is required always or never. */
  readonly requiredWith: string | undefined;
  /** Its value is a secret or may hold one, as a URL does: it may come from a file, and leaves the environment after the start. */
  readonly holdsSecret: boolean;
  /** What is wrong with this text, or with none, in production; says it without the text. */
  readonly productionProblem: (text: string | undefined) => string | undefined;
  /** Reads the text, or gives the default for undefined. */
  readonly parse: (text: string | undefined) => Parsed<T>;
};

type Common = { readonly env: string; readonly help: string };
/** `requiredWith`: the variable that makes this one required, for example a processor's URL its key. */
type Optional = { readonly optional: true; readonly requiredWith?: string };

const accept = <T>(value: T): Parsed<T> => ({ ok: true, value });
const refuse = (problem: string): Parsed<never> => ({ ok: false, problem });

type Shape<T> = {
  readonly shape: string;
  readonly unit?: string | undefined;
  readonly isSecret?: boolean;
  readonly requiredWith?: string | undefined;
  readonly holdsSecret?: boolean;
  readonly productionProblem?: ((text: string | undefined) => string | undefined) | undefined;
  readonly fallback: { readonly value: T; readonly text: string } | undefined;
  readonly read: (text: string) => Parsed<T>;
};

function setting<T>({ env, help }: Common, shape: Shape<T>): Setting<T> {
  const { fallback } = shape;
  return {
    env,
    help,
    shape: shape.shape,
    unit: shape.unit,
    defaultText: fallback?.text,
    isRequired: fallback === undefined,
    isSecret: shape.isSecret ?? false,
    requiredWith: shape.requiredWith,
    holdsSecret: shape.holdsSecret ?? shape.isSecret ?? false,
    productionProblem: shape.productionProblem ?? (() => undefined),
    parse: (text) => {
      if (text !== undefined && text !== "") return shape.read(text);
      return fallback === undefined ? refuse("is required") : accept(fallback.value);
    },
  };
}

const textOf = <T>(value: T | undefined): { value: T; text: string } | undefined =>
  value === undefined ? undefined : { value, text: String(value) };

/** Any text. `default: ""` makes it optional. */
export function text(options: Common & { default?: string }): Setting<string> {
  return setting(options, { shape: "text", fallback: textOf(options.default), read: accept });
}

/** A whole number from `min` to `max`, both included, in `unit`. */
export function integer(options: Common & { unit: string; min: number; max: number; default?: number }): Setting<number> {
  const { min, max } = options;
  return setting(options, {
    shape: `integer ${min} to ${max}`,
    unit: options.unit,
    fallback: textOf(options.default),
    read: (value) => {
      const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      return number >= min && number <= max ? accept(number) : refuse(`must be a whole number from ${min} to ${max}`);
    },
  });
}

/** A number from 0 to 1. */
export function ratio(options: Common & { default?: number }): Setting<number> {
  return setting(options, {
    shape: "number 0 to 1",
    fallback: textOf(options.default),
    read: (value) => {
      const number = /^\d(\.\d{1,9})?$/.test(value) ? Number(value) : Number.NaN;
      return number >= 0 && number <= 1 ? accept(number) : refuse("must be a number from 0 to 1");
    },
  });
}

/** The folder of this process' certificates, or the word `off`, which production refuses, as it does certificates of a sandbox. */
export function tlsFolder(options: Common): Setting<string> {
  return setting(options, {
    shape: "text",
    fallback: undefined,
    read: accept,
    productionProblem: (value) => (value === undefined ? undefined : sandboxTlsProblem(value)),
  });
}

/** One of a closed set of words. `sandboxOnly`: those that production refuses, as the default too. */
export function choice<const V extends string>(
  options: Common & { values: readonly V[]; default?: NoInfer<V>; sandboxOnly?: readonly NoInfer<V>[] },
): Setting<V> {
  const { values } = options;
  const sandboxOnly: readonly string[] = options.sandboxOnly ?? [];
  return setting<V>(options, {
    shape: values.join(" | "),
    fallback: textOf(options.default),
    productionProblem: (value) => {
      const chosen = value ?? options.default ?? "";
      return sandboxOnly.includes(chosen) ? `is ${chosen}, which is for sandboxes and tests only` : undefined;
    },
    read: (value) => {
      const known = values.find((candidate) => candidate === value);
      return known === undefined ? refuse(`must be one of ${values.join(", ")}`) : accept(known);
    },
  });
}

/** `on` or `off`. */
export function flag(options: Common & { default?: boolean }): Setting<boolean> {
  const fallback = options.default === undefined ? undefined : { value: options.default, text: options.default ? "on" : "off" };
  return setting(options, {
    shape: "on | off",
    fallback,
    read: (value) => (value === "on" ? accept(true) : value === "off" ? accept(false) : refuse("must be on or off")),
  });
}

type UrlOptions = Common & {
  readonly protocols?: readonly string[];
  readonly default?: string;
  /** What it must have in production: a password (servers that keep data), or TLS (whoever gets a card). A password is looked at in any case. */
  readonly production?: "password" | "tls";
};

/** A URL with one of `protocols` (default: any). `default: ""` makes it optional. A URL may hold a password, so it is never printed. */
export function url(options: UrlOptions): Setting<string> {
  const { protocols } = options;
  const wanted = protocols === undefined ? "a URL" : `a URL that begins with ${protocols.map((protocol) => `${protocol}://`).join(" or ")}`;
  return setting(options, {
    shape: wanted,
    fallback: textOf(options.default),
    holdsSecret: true,
    productionProblem: (value) => urlProblem(value, options.production),
    read: (value) => {
      const parsed = URL.parse(value);
      const isKnown = parsed !== null && (protocols === undefined || protocols.includes(parsed.protocol.slice(0, -1)));
      return isKnown ? accept(value) : refuse(`must be ${wanted}`);
    },
  });
}

function urlProblem(value: string | undefined, production: UrlOptions["production"]): string | undefined {
  const parsed = value === undefined ? null : URL.parse(value);
  if (parsed === null) return undefined;
  if (production === "tls" && parsed.protocol !== "https:") return "must begin with https://";
  const password = decode(parsed.password);
  if (password === "" && production !== "password") return undefined;
  const isUsersName = parsed.password === parsed.username && password !== "";
  const weakness = isUsersName ? "is the user's name" : weaknessOfPassword(password);
  return weakness === undefined ? undefined : `has a password that ${weakness}`;
}

/** A stray percent sign is a password's own. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

type SecretText = Common & {
  /** In production, in characters; default 12. */
  readonly lengthMin?: number;
  /** It goes into a header: printable ASCII without blanks. */
  readonly inHeader?: boolean;
};
const safeInHeader = /^[\x21-\x7e]+$/;

/** A secret as text. `optional: true` gives undefined when it is not set. */
export function secretText(options: SecretText & Optional): Setting<Secret | undefined>;
export function secretText(options: SecretText & { optional?: false }): Setting<Secret>;
export function secretText(options: SecretText & { optional?: boolean; requiredWith?: string }): Setting<Secret | undefined> {
  return setting<Secret | undefined>(options, {
    shape: "secret text",
    isSecret: true,
    requiredWith: options.requiredWith,
    productionProblem: (value) => (value === undefined ? undefined : weaknessOfPassword(value, options.lengthMin)),
    fallback: options.optional === true ? { value: undefined, text: "" } : undefined,
    read: (value) =>
      options.inHeader === true && !safeInHeader.test(value)
        ? refuse("must be printable ASCII without blanks: it goes into a header")
        : accept(new Secret(Buffer.from(value, "utf8"))),
  });
}

type SecretHex = Common & { readonly bytes: number };

/** A secret of exactly `bytes` bytes, written in hex. A `default` is for the sandbox only and its value is not shown. */
export function secretHex(options: SecretHex & Optional): Setting<Secret | undefined>;
export function secretHex(options: SecretHex & { optional?: false; default?: string }): Setting<Secret>;
export function secretHex(
  options: SecretHex & { optional?: boolean; requiredWith?: string; default?: string },
): Setting<Secret | undefined> {
  const { bytes } = options;
  const read = (value: string): Parsed<Secret> =>
    value.length === bytes * 2 && /^[0-9a-fA-F]*$/.test(value)
      ? accept(new Secret(Buffer.from(value, "hex")))
      : refuse(`must be ${bytes} bytes in hex (${bytes * 2} characters)`);
  const fallbackText = options.optional === true ? undefined : options.default;
  const productionProblem = (value: string | undefined): string | undefined => {
    if (value === undefined) return fallbackText === undefined ? undefined : "has a value that is built in: set your own";
    return read(value).ok ? weaknessOfKey(Buffer.from(value, "hex")) : undefined;
  };
  const base = { shape: `${bytes} bytes in hex`, isSecret: true, requiredWith: options.requiredWith, productionProblem };
  if (options.optional === true) return setting<Secret | undefined>(options, { ...base, fallback: { value: undefined, text: "" }, read });
  if (options.default === undefined) return setting<Secret | undefined>(options, { ...base, fallback: undefined, read });
  const built = read(options.default);
  if (!built.ok) throw new Error(`the default of ${options.env} ${built.problem}`);
  return setting<Secret | undefined>(options, { ...base, fallback: { value: built.value, text: "(a built-in sandbox value)" }, read });
}
