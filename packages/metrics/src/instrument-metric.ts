import type { InstrumentSpec, Sample } from "@bus/core";

/** One line of a metric as prom-client serialises it. */
export interface MetricValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric as prom-client reads it. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: InstrumentSpec["kind"];
  readonly aggregator: "sum";
  readonly values: readonly MetricValue[];
}

/** Where a metric's samples come from: one bus, with the labels that it puts on everything. */
export interface SampleSource {
  readonly samples: () => readonly Sample[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * A metric that is read from the instruments of one or more buses when it is scraped: nothing is copied while messages
 * flow. Series of two buses with the same labels become one (sums of amounts, the greater of two ages), so that two buses
 * in one process never collide.
 */
export class InstrumentMetric {
  readonly name: string;
  readonly help: string;
  readonly type: InstrumentSpec["kind"];
  readonly aggregator = "sum" as const;
  readonly collect = undefined;
  readonly #spec: InstrumentSpec;
  readonly #sources = new Set<SampleSource>();

  constructor(spec: InstrumentSpec) {
    this.#spec = spec;
    this.name = spec.name;
    this.help = spec.help;
    this.type = spec.kind;
  }

  add(source: SampleSource): void {
    this.#sources.add(source);
  }

  /** @returns Whether a source is left. */
  remove(source: SampleSource): boolean {
    this.#sources.delete(source);
    return this.#sources.size > 0;
  }

  /** Called by prom-client's registry for every scrape. */
  get(): Promise<MetricSnapshot> {
    const { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values: this.#values() });
  }

  /** Called by prom-client's `resetMetrics`; the instruments belong to the bus and are not touched. */
  reset(): void {}

  #values(): readonly MetricValue[] {
    const sums = new Map<
      string,
      {
        readonly metricName: string;
        readonly labels: Record<string, string | number>;
        value: number;
      }
    >();
    for (const { metricName, labels, value } of this.#lines()) {
      const key = seriesKey(metricName, labels);
      const sum = sums.get(key);
      if (sum === undefined) sums.set(key, { metricName, labels: { ...labels }, value });
      else sum.value = merge(this.#spec, sum.value, value);
    }
    return [...sums.values()];
  }

  *#lines(): Generator<MetricValue> {
    for (const { samples, labels } of this.#sources) {
      for (const sample of samples()) {
        if (sample.spec.name === this.#spec.name)
          yield* linesOf(sample, { ...labels, ...sample.labels });
      }
    }
  }
}

/** Amounts of two buses add up; of two ages the greater one counts. */
function merge({ kind, name }: InstrumentSpec, one: number, other: number): number {
  return kind === "gauge" && name.endsWith("_seconds") ? Math.max(one, other) : one + other;
}

function seriesKey(metricName: string, labels: MetricValue["labels"]): string {
  const names = Object.keys(labels).toSorted();
  return JSON.stringify([metricName, ...names.map((name) => [name, labels[name]])]);
}

function* linesOf(
  sample: Sample,
  labels: Readonly<Record<string, string>>,
): Generator<MetricValue> {
  const { spec, value, bucketCounts } = sample;
  if (bucketCounts === undefined) {
    yield { metricName: spec.name, labels, value };
    return;
  }
  let count = 0;
  for (const [index, bucketCount] of bucketCounts.entries()) {
    count += bucketCount;
    yield {
      metricName: `${spec.name}_bucket`,
      labels: { le: spec.buckets?.[index] ?? "+Inf", ...labels },
      value: count,
    };
  }
  yield { metricName: `${spec.name}_sum`, labels, value };
  yield { metricName: `${spec.name}_count`, labels, value: count };
}
