/**
 * Counters, histograms and gauges that cost next to nothing to record.
 *
 * Recording adds to plain numbers; a scrape turns them into OpenTelemetry metric data through a `MetricProducer`, so every
 * OpenTelemetry reader and exporter can take them. (An SDK instrument hashes its attributes at every call, several times our budget of
 * half a microsecond; see bench/telemetry.ts.)
 *
 * Time series are bounded by the label table: closed unions, or a bound on the number of values.
 */
import { assert } from "@florin/kernel";
import type { HrTime } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type MetricData,
  type MetricDescriptor,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import {
  type CounterName,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
  type LabelValues,
  type MetricEntry,
  type MetricName,
  metricTable,
} from "./metric-table.ts";

type LabelsArgument<Name extends MetricName> = keyof LabelsOf<Name> extends never ? [labels?: undefined] : [labels: LabelsOf<Name>];

export type BoundCounter = { add(by?: number): void };
export type BoundHistogram = { record(value: number): void };

/** Metrics of this process. Safe to call from anywhere; nothing here throws for a value. */
export interface Metrics {
  /** Adds `by` (default 1, never negative). */
  count<Name extends CounterName>(
    name: Name,
    ...rest: keyof LabelsOf<Name> extends never ? [labels?: undefined, by?: number] : [labels: LabelsOf<Name>, by?: number]
  ): void;
  /** Records one value in the metric's unit. */
  record<Name extends HistogramName>(name: Name, value: number, ...rest: LabelsArgument<Name>): void;
  /** `read` is called at every scrape; a second call with the same labels replaces the first. */
  gauge<Name extends GaugeName>(name: Name, read: () => number, ...rest: LabelsArgument<Name>): void;
  /** A counter whose total is kept elsewhere: `read` is called at every scrape and may not go down. */
  countFrom<Name extends CounterName>(name: Name, read: () => number, ...rest: LabelsArgument<Name>): void;
  /** The counter for fixed labels, for the hottest places. */
  counter<Name extends CounterName>(name: Name, ...rest: LabelsArgument<Name>): BoundCounter;
  /** The histogram for fixed labels, for the hottest places. */
  histogram<Name extends HistogramName>(name: Name, ...rest: LabelsArgument<Name>): BoundHistogram;
}

type Labels = Readonly<Record<string, string>>;
type Kind = MetricEntry["kind"];

class Cell {
  readonly labels: Labels;
  readonly boundaries: readonly number[];
  readonly counts: Float64Array;
  total = 0;
  read: (() => number) | undefined;

  constructor(labels: Labels, boundaries: readonly number[]) {
    this.labels = labels;
    this.boundaries = boundaries;
    this.counts = new Float64Array(boundaries.length === 0 ? 0 : boundaries.length + 1);
  }

  add(by = 1): void {
    this.total += by;
  }

  record(value: number): void {
    const { boundaries } = this;
    let index = 0;
    // Upper bounds are inclusive, as in Prometheus. At most 15 buckets: a scan is faster than a search.
    while (index < boundaries.length && value > (boundaries[index] as number)) index += 1;
    (this.counts[index] as number) += 1;
    this.total += value;
  }
}

class Family {
  readonly name: string;
  readonly entry: MetricEntry;
  readonly labelNames: readonly string[];
  readonly cells = new Map<string, Cell>();
  readonly #valuesSeen = new Map<string, Set<string>>();
  readonly #boundaries: readonly number[];

  constructor(name: string, entry: MetricEntry) {
    this.name = name;
    this.entry = entry;
    this.labelNames = Object.keys(entry.labels);
    this.#boundaries = entry.buckets ?? [];
  }

  cell(labels: Labels | undefined): Cell {
    const found = this.cells.get(this.#key(labels));
    return found ?? this.#make(labels ?? {});
  }

  /** One concatenation per label; label values are words without NUL. */
  #key(labels: Labels | undefined): string {
    const { labelNames } = this;
    if (labels === undefined || labelNames.length === 0) return "";
    let key = labels[labelNames[0] as string] as string;
    for (let index = 1; index < labelNames.length; index++) key += `\0${labels[labelNames[index] as string]}`;
    return key;
  }

  #make(given: Labels): Cell {
    const bounded = Object.fromEntries(this.labelNames.map((label) => [label, this.#boundedValue(label, given[label] ?? "")]));
    const key = this.#key(bounded);
    const cell = this.cells.get(key) ?? new Cell(bounded, this.#boundaries);
    this.cells.set(key, cell);
    return cell;
  }

  #boundedValue(label: string, value: string): string {
    const values = this.entry.labels[label];
    if (values === undefined) return "other";
    if (!("valuesMax" in values)) return values.includes(value) ? value : "other";
    const seen = this.#valuesSeen.get(label) ?? new Set();
    this.#valuesSeen.set(label, seen);
    if (!seen.has(value) && seen.size >= values.valuesMax) return "other";
    seen.add(value);
    return value;
  }
}

/**
 * The metrics of a process and their producer for OpenTelemetry's readers. Counters whose names begin with `own` are there at zero from the start, as far
 * as their labels are closed lists: an alert on a series that comes with its first event would not see that event.
 */
export function createMetrics(own?: string): Metrics & { readonly producer: MetricProducer } {
  const families = new Map<string, Family>(Object.entries(metricTable).map(([name, entry]) => [name, new Family(name, entry)]));
  if (own !== undefined)
    for (const [name, one] of families)
      if (one.entry.kind === "counter" && name.startsWith(own)) for (const labels of combinationsOf(one)) one.cell(labels);
  const family = (name: string, kind: Kind): Family => {
    const found = families.get(name);
    assert(found !== undefined && found.entry.kind === kind, `${name} is a ${kind} of the metric table`);
    return found;
  };
  const cell = (name: string, kind: Kind, labels: Labels | undefined): Cell => family(name, kind).cell(labels);
  const recorder = {
    count: (name: string, labels?: Labels, by?: number) => cell(name, "counter", labels).add(by),
    record: (name: string, value: number, labels?: Labels) => cell(name, "histogram", labels).record(value),
    gauge: (name: string, read: () => number, labels?: Labels) => {
      cell(name, "gauge", labels).read = read;
    },
    countFrom: (name: string, read: () => number, labels?: Labels) => {
      cell(name, "counter", labels).read = read;
    },
    counter: (name: string, labels?: Labels) => cell(name, "counter", labels),
    histogram: (name: string, labels?: Labels) => cell(name, "histogram", labels),
    producer: { collect: async () => collect(families) },
  };
  // The one place where the table's types meet plain strings.
  return recorder as typeof recorder & Metrics;
}

const combinationsMax = 64;

/** Every combination of label values; none where a list is open, or where they are too many. */
function combinationsOf({ entry }: Family): readonly Labels[] {
  let combinations: Labels[] = [{}];
  for (const [label, values] of Object.entries<LabelValues>(entry.labels)) {
    if ("valuesMax" in values) return [];
    combinations = combinations.flatMap((labels) => values.map((value) => ({ ...labels, [label]: value })));
  }
  return combinations.length > combinationsMax ? [] : combinations;
}

const startTime: HrTime = hrTimeNow();

function hrTimeNow(): HrTime {
  const nowMs = Date.now();
  return [Math.floor(nowMs / 1_000), (nowMs % 1_000) * 1_000_000];
}

function collect(families: ReadonlyMap<string, Family>): CollectionResult {
  const endTime = hrTimeNow();
  const metrics: MetricData[] = [];
  for (const family of families.values()) if (family.cells.size > 0) metrics.push(metricData(family, endTime));
  return { resourceMetrics: { resource: resourceFromAttributes({}), scopeMetrics: [{ scope: { name: "florin" }, metrics }] }, errors: [] };
}

function metricData(family: Family, endTime: HrTime): MetricData {
  const { entry, name } = family;
  const descriptor: MetricDescriptor = { name, description: entry.help, unit: entry.unit, valueType: 1 };
  const base = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE };
  const point = <Value>(cell: Cell, value: Value) => ({ startTime, endTime, attributes: cell.labels, value });
  const cells = [...family.cells.values()];
  if (entry.kind === "histogram")
    return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints: cells.map((cell) => point(cell, histogramValue(cell))) };
  const dataPoints = cells.map((cell) => point(cell, cell.read === undefined ? cell.total : readSafely(cell.read)));
  if (entry.kind === "gauge") return { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
  return { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
}

function histogramValue(cell: Cell) {
  const counts = [...cell.counts];
  return { buckets: { boundaries: [...cell.boundaries], counts }, sum: cell.total, count: counts.reduce((sum, count) => sum + count, 0) };
}

/** One broken gauge must not cost the whole scrape. */
function readSafely(read: () => number): number {
  try {
    return read();
  } catch {
    return Number.NaN;
  }
}
