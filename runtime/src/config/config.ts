/**
 * The configuration of one process: read once from the environment at start, checked as a whole, then values.
 *
 * All problems come in one message. Values of secrets and URLs are never printed; secrets come as `Secret`. What is or holds a secret may stand
 * in a file instead, whose path is in the variable of the same name with `_FILE`. With FLORIN_ENVIRONMENT=production, values that are for
 * sandboxes are problems too.
 * Deliberately not here: configuration files, flags, reloading. A new value is a restart.
 */
import { readFileSync, statSync } from "node:fs";
import type { Setting } from "./setting.ts";

type Settings = Readonly<Record<string, Setting<unknown>>>;

export type ConfigValues<T extends Settings> = { readonly [Name in keyof T]: T[Name] extends Setting<infer Value> ? Value : never };

/** One line of docs/configuration.md. */
export type ConfigRow = {
  readonly process: string;
  readonly env: string;
  readonly shape: string;
  readonly unit: string | undefined;
  /** Undefined when the setting is required. "" means: off, or not there. */
  readonly defaultText: string | undefined;
  readonly isRequired: boolean;
  readonly isSecret: boolean;
  readonly holdsSecret: boolean;
  readonly help: string;
};

export type ConfigDefinition<T extends Settings> = {
  readonly process: string;
  readonly settings: T;
  describe(): readonly ConfigRow[];
};

/** Two settings may not read the same variable. */
export function defineConfig<T extends Settings>(process: string, settings: T): ConfigDefinition<T> {
  const rows = Object.values(settings).map(({ env, shape, unit, defaultText, isRequired, isSecret, holdsSecret, help }) => ({
    process,
    env,
    shape,
    unit,
    defaultText,
    isRequired,
    isSecret,
    holdsSecret,
    help,
  }));
  const seen = new Set<string>();
  for (const { env } of rows) {
    if (seen.has(env)) throw new Error(`${process}: two settings read ${env}`);
    seen.add(env);
  }
  return { process, settings, describe: () => rows };
}

const productionVariable = "FLORIN_ENVIRONMENT";
const fileBytesMax = 65_536;

/** The values, or one Error that lists every problem with the variable's name and meaning. */
export function loadConfig<T extends Settings>(definition: ConfigDefinition<T>, env: NodeJS.ProcessEnv): ConfigValues<T> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  const isProduction = env[productionVariable] === "production";
  for (const [name, setting] of Object.entries(definition.settings)) {
    const given = readVariable(setting, env);
    const parsed = given.ok ? setting.parse(given.text) : given;
    const problem = !parsed.ok
      ? parsed.problem
      : (missingWith(setting, given, env) ?? (isProduction && given.ok ? inProduction(setting.productionProblem(given.text)) : undefined));
    if (parsed.ok) values[name] = parsed.value;
    if (problem !== undefined) problems.push(`  ${setting.env} ${problem} (${setting.help})`);
  }
  if (problems.length > 0)
    throw new Error(`${definition.process} cannot start, its configuration has ${problems.length} problem(s):\n${problems.join("\n")}`);
  return Object.freeze(values) as ConfigValues<T>;
}

/** For commands that read a variable or two: from the environment or from the file that `<name>_FILE` names. Throws an Error without the value. */
export function readSecretVariable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const given = readVariable({ env: name, holdsSecret: true }, env);
  if (!given.ok) throw new Error(`${name} ${given.problem}`);
  return given.text;
}

/** Takes what is secret out of the environment, so that no child process and no diagnostic report shows it. */
export function forgetSecrets<T extends Settings>(definition: ConfigDefinition<T>, env: NodeJS.ProcessEnv): void {
  for (const { env: name, holdsSecret } of Object.values(definition.settings)) if (holdsSecret) delete env[name];
}

/** A variable may stand in a file here as well. */
function missingWith({ requiredWith }: Setting<unknown>, given: Given, env: NodeJS.ProcessEnv): string | undefined {
  if (requiredWith === undefined || !given.ok || given.text !== undefined) return undefined;
  return env[requiredWith] || env[`${requiredWith}_FILE`] ? `is required with ${requiredWith}` : undefined;
}

function inProduction(problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `${problem}: refused in production`;
}

type Given = { readonly ok: true; readonly text: string | undefined } | { readonly ok: false; readonly problem: string };

/** Empty counts as not set. A file's last line break is not part of the value. */
function readVariable(setting: Pick<Setting<unknown>, "env" | "holdsSecret">, env: NodeJS.ProcessEnv): Given {
  const text = env[setting.env] || undefined;
  const fileVariable = `${setting.env}_FILE`;
  const file = setting.holdsSecret ? env[fileVariable] || undefined : undefined;
  if (file === undefined) return { ok: true, text };
  if (text !== undefined) return { ok: false, problem: `is set, and ${fileVariable} too: which one counts?` };
  try {
    if (statSync(file).size > fileBytesMax) return { ok: false, problem: `cannot be read: the file of ${fileVariable} is too large` };
    return { ok: true, text: readFileSync(file, "utf8").replace(/\r?\n$/, "") || undefined };
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown";
    return { ok: false, problem: `cannot be read from the file of ${fileVariable} (${code})` };
  }
}
