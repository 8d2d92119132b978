/**
 * What differs between two settings documents, by the paths of the fields. Processors are known by their names, so one that moved up the
 * list shows as a new order and not as a change of everything. Lists of codes are compared whole.
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
  if (isNamed(before) && isNamed(after)) compareNamed({ path, before, after }, say);
  else if (isObject(before) && isObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      compare({ path: path === "" ? name : `${path}.${name}`, before: before[name], after: after[name] }, say);
  } else if (canonical(before) !== canonical(after)) say(path, before, after);
}

type Named = readonly { readonly name: string }[];

function compareNamed({ path, before, after }: { path: string; before: Named; after: Named }, say: Say): void {
  const names = (list: Named): readonly string[] => list.map(({ name }) => name);
  const of = (list: Named, name: string): unknown => list.find((one) => one.name === name);
  for (const name of new Set([...names(before), ...names(after)]))
    compare({ path: `${path}[${name}]`, before: of(before, name), after: of(after, name) }, say);
  const kept = (list: Named, other: Named): readonly string[] => names(list).filter((name) => names(other).includes(name));
  if (canonical(kept(before, after)) !== canonical(kept(after, before))) say(`${path}.order`, names(before), names(after));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNamed(value: unknown): value is Named {
  return Array.isArray(value) && value.length > 0 && value.every((one: unknown) => isObject(one) && typeof one["name"] === "string");
}

/** The same text for the same value, whatever the order of its fields. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_name, one: unknown) => (isObject(one) ? Object.fromEntries(Object.entries(one).toSorted()) : one));
}

function textOf(value: unknown): string | undefined {
  const text = canonical(value);
  return text === undefined || text.length <= valueLengthMax ? text : `${text.slice(0, valueLengthMax)}…`;
}
