/**
 * The configuration of one process: read once from the environment at start, checked as a whole, then values.
 *
 * All problems come in one message. Values of secrets and URLs are never printed; secrets come as `Secret`.
 * Deliberately not here: files, flags, reloading. A new value is a restart.
 */
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
  readonly help: string;
};

export type ConfigDefinition<T extends Settings> = {
  readonly process: string;
  readonly settings: T;
  describe(): readonly ConfigRow[];
};

/** Two settings may not read the same variable. */
export function defineConfig<T extends Settings>(process: string, settings: T): ConfigDefinition<T> {
  const rows = Object.values(settings).map(({ env, shape, unit, defaultText, isRequired, isSecret, help }) => ({
    process,
    env,
    shape,
    unit,
    defaultText,
    isRequired,
    isSecret,
    help,
  }));
  const seen = new Set<string>();
  for (const { env } of rows) {
    if (seen.has(env)) throw new Error(`${process}: two settings read ${env}`);
    seen.add(env);
  }
  return { process, settings, describe: () => rows };
}

/** The values, or one Error that lists every problem with the variable's name and meaning. */
export function loadConfig<T extends Settings>(definition: ConfigDefinition<T>, env: NodeJS.ProcessEnv): ConfigValues<T> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, setting] of Object.entries(definition.settings)) {
    const parsed = setting.parse(env[setting.env]);
    if (parsed.ok) values[name] = parsed.value;
    else problems.push(`  ${setting.env} ${parsed.problem} (${setting.help})`);
  }
  if (problems.length > 0)
    throw new Error(`${definition.process} cannot start, its configuration has ${problems.length} problem(s):\n${problems.join("\n")}`);
  return Object.freeze(values) as ConfigValues<T>;
}
