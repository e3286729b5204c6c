import type {
  Counter,
  Gauge,
  Histogram,
  InstrumentSpec,
  Instruments,
  Labels,
  LabelName,
  Sample,
} from "../contracts/instruments.ts";
import { BusConfigError } from "../errors/bus-error.ts";

class CounterCell implements Counter {
  value = 0;
  add(amount: number): void {
    this.value += amount;
  }
}

class GaugeCell implements Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
}

class HistogramCell implements Histogram {
  value = 0;
  readonly #bounds: readonly number[];
  readonly counts: number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  record(value: number, times = 1): void {
    this.value += value * times;
    const bounds = this.#bounds;
    let index = 0;
    // A handful of bounds: a linear walk beats a binary search and most values are small.
    while (index < bounds.length && value > (bounds[index] ?? Number.POSITIVE_INFINITY)) index++;
    this.counts[index] = (this.counts[index] ?? 0) + times;
  }
}

type Cell = CounterCell | GaugeCell | HistogramCell;

interface Series {
  readonly spec: InstrumentSpec;
  readonly labels: Labels;
  readonly cell: Cell;
}

/** The metrics that have a series, and who wants to hear of new ones. */
class MetricList {
  readonly #specs = new Map<string, InstrumentSpec>();
  readonly #listeners = new Set<(spec: InstrumentSpec) => void>();

  add(spec: InstrumentSpec): void {
    if (this.#specs.has(spec.name)) return;
    this.#specs.set(spec.name, spec);
    for (const listener of this.#listeners) listener(spec);
  }

  listen(listener: (spec: InstrumentSpec) => void): () => void {
    for (const spec of this.#specs.values()) listener(spec);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Make the instruments of one bus. */
export function createInstruments(): Instruments {
  const series = new Map<string, Series>();
  const refreshers = new Set<() => void>();
  const metrics = new MetricList();

  function cellOf<TCell extends Cell>(request: Request<TCell>): TCell {
    const { spec, labels, kind } = request;
    const id = seriesId(spec, labels);
    const existing = series.get(id);
    if (existing === undefined) {
      if (spec.kind !== request.kindName) throw wrongKind(spec, request.kindName);
      const cell = request.make();
      series.set(id, { spec, labels, cell });
      metrics.add(spec);
      return cell;
    }
    if (existing.cell instanceof kind) return existing.cell;
    throw wrongKind(spec, request.kindName);
  }

  return {
    counter: (spec, labels = {}) =>
      cellOf({
        spec,
        labels,
        kind: CounterCell,
        kindName: "counter",
        make: () => new CounterCell(),
      }),
    gauge: (spec, labels = {}) =>
      cellOf({ spec, labels, kind: GaugeCell, kindName: "gauge", make: () => new GaugeCell() }),
    histogram: (spec, labels = {}) =>
      cellOf({
        spec,
        labels,
        kind: HistogramCell,
        kindName: "histogram",
        make: () => new HistogramCell(spec.buckets ?? []),
      }),
    onRead(refresh) {
      refreshers.add(refresh);
      return () => void refreshers.delete(refresh);
    },
    onMetric: (listener) => metrics.listen(listener),
    read() {
      for (const refresh of refreshers) refresh();
      return Array.from(series.values(), toSample);
    },
  };
}

interface Request<TCell extends Cell> {
  readonly spec: InstrumentSpec;
  readonly labels: Labels;
  readonly kind: abstract new (...args: never) => TCell;
  readonly kindName: InstrumentSpec["kind"];
  readonly make: () => TCell;
}

function toSample({ spec, labels, cell }: Series): Sample {
  if (cell instanceof HistogramCell)
    return { spec, labels, value: cell.value, bucketCounts: [...cell.counts] };
  return { spec, labels, value: cell.value };
}

function seriesId(spec: InstrumentSpec, labels: Labels): string {
  const names = spec.labels.map((name: LabelName) => `${name}=${labels[name] ?? ""}`);
  for (const name of Object.keys(labels)) {
    if (!spec.labels.some((declared) => declared === name)) {
      throw new BusConfigError("BUS_CONFIG", `metric ${spec.name} has no label ${name}`, {
        details: { metric: spec.name, label: name },
      });
    }
  }
  return `${spec.name}{${names.join(",")}}`;
}

function wrongKind(spec: InstrumentSpec, asked: string): BusConfigError {
  return new BusConfigError("BUS_CONFIG", `metric ${spec.name} is a ${spec.kind}, not a ${asked}`, {
    details: { metric: spec.name },
  });
}
