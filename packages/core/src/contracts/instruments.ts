/** Names of labels that a metric may carry; never a key, an aggregate id or an error text. */
export type LabelName =
  | "topic"
  | "group"
  | "outcome"
  | "class"
  | "reason"
  | "partition"
  | "state"
  | "version";

/** Values of labels. */
export type Labels = Readonly<Partial<Record<LabelName, string>>>;

/** A metric, declared once: the source of exporters, docs and dashboards. */
export interface InstrumentSpec {
  /** `bus_…` in Prometheus form, with `_total` for counters and the base unit as suffix. */
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly labels: readonly LabelName[];
  /** Upper bounds of a histogram's buckets in the metric's unit, ascending. */
  readonly buckets?: readonly number[];
}

/** A number that only grows. */
export interface Counter {
  add(amount: number): void;
}

/** A number that goes up and down. */
export interface Gauge {
  set(value: number): void;
}

/** A distribution. */
export interface Histogram {
  /** @param times - How many observations this one stands for. @defaultValue 1 */
  record(value: number, times?: number): void;
}

/** One time series as an exporter reads it. */
export interface Sample {
  readonly spec: InstrumentSpec;
  readonly labels: Labels;
  /** Counter or gauge value; for a histogram the sum of recorded values. */
  readonly value: number;
  /** Histograms only: recordings per bucket (not cumulative), one more than `spec.buckets` (the last is +∞). */
  readonly bucketCounts?: readonly number[];
}

/**
 * The instruments of one bus: plain numbers that cost a few nanoseconds to change and are read by exporters.
 * Asking twice for the same spec and labels returns the same instrument.
 */
export interface Instruments {
  counter(spec: InstrumentSpec, labels?: Labels): Counter;
  gauge(spec: InstrumentSpec, labels?: Labels): Gauge;
  histogram(spec: InstrumentSpec, labels?: Labels): Histogram;
  /** Run `refresh` before each `read`, to set gauges that are cheaper to compute on demand. Returns a function that removes it. */
  onRead(refresh: () => void): () => void;
  /**
   * Hear of every metric that has a series: at once of those that have, later of each with its first. For exporters
   * that must know names before they are read. Returns a function that ends it.
   */
  onMetric(listener: (spec: InstrumentSpec) => void): () => void;
  /** All series now. */
  read(): readonly Sample[];
}
