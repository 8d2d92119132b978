/**
 * What differs between two settings documents, by the paths of the fields. Processors are known by their names and issuer ranges by their prefixes, so
 * one that moved up the list is not a change of everything; the order of processors is shown, that of ranges says nothing. Lists of codes are compared whole.
 */

/** `path` as in "processors[simpay].fees.rateBps". The values as JSON; undefined where there is none. */
export type SettingsChange = { readonly path: string; readonly before: string | undefined; readonly after: string | undefined };

/** More changes are counted and not shown. */
const changesMax = 200;
const valueLengthMax = 1_000;

export type SettingsChanges = { readonly shown: readonly SettingsChange[]; readonly count: number };

export function changesBetween(before: unknown, after: unknown): SettingsChanges {
  const shown: SettingsChange[] = [];
  let count = 0;
  const say = (path: string, was: unknown, is: unknown): void => {
    count += 1;
    if (shown.length < changesMax) shown.push({ path, before: textOf(was), after: textOf(is) });
  };
  compare({ path: "", before, after }, say);
  return { shown, count };
}

type Pair = { readonly path: string; readonly before: unknown; readonly after: unknown };
type Say = (path: string, before: unknown, after: unknown) => void;

function compare({ path, before, after }: Pair, say: Say): void {
  const key = keys.find((one) => isListOf(before, one) && isListOf(after, one));
  if (key !== undefined) compareLists({ path, before: before as Fields[], after: after as Fields[] }, key, say);
  else if (isObject(before) && isObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      compare({ path: path === "" ? name : `${path}.${name}`, before: before[name], after: after[name] }, say);
  } else if (canonical(before) !== canonical(after)) say(path, before, after);
}

type Fields = Readonly<Record<string, unknown>>;
const keys = ["name", "prefix"] as const;
type Key = (typeof keys)[number];
type ByKey = ReadonlyMap<unknown, Fields>;

function compareLists(
  { path, before, after }: { path: string; before: readonly Fields[]; after: readonly Fields[] },
  key: Key,
  say: Say,
): void {
  const byKey = (list: readonly Fields[]): ByKey => new Map(list.map((one) => [one[key], one]));
  const [was, is] = [byKey(before), byKey(after)];
  for (const name of new Set([...was.keys(), ...is.keys()]))
    compare({ path: `${path}[${name}]`, before: was.get(name), after: is.get(name) }, say);
  const kept = (list: ByKey, other: ByKey): readonly unknown[] => [...list.keys()].filter((name) => other.has(name));
  if (key === "name" && canonical(kept(was, is)) !== canonical(kept(is, was))) say(`${path}.order`, [...was.keys()], [...is.keys()]);
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, key: Key): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((one: unknown) => isObject(one) && typeof one[key] === "string");
}

/** The same text for the same value, whatever the order of its fields. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_name, one: unknown) => (isObject(one) ? Object.fromEntries(Object.entries(one).toSorted()) : one));
}

function textOf(value: unknown): string | undefined {
  const text = canonical(value);
  return text === undefined || text.length <= valueLengthMax ? text : `${text.slice(0, valueLengthMax)}…`;
}
