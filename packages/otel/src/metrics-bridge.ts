import type { InstrumentSpec, Instruments, Sample } from "@bus/core";
import type { Attributes, Meter, Observable, ObservableCallback } from "@opentelemetry/api";

/** What a bridge connects. */
export interface MetricsBridgeParts {
  readonly instruments: Instruments;
  readonly meter: Meter;
  /** Attributes of every series of this bus. */
  readonly attributes: Attributes;
}

type Observe = (value: number, attributes: Attributes) => void;

/**
 * Shows the instruments of a bus as observable instruments of a meter: read when the SDK collects, nothing is done while
 * messages flow. OpenTelemetry has no observable histogram, so that one is shown as Prometheus shows it: counters of
 * its sum, its count and its cumulated buckets (`le`).
 */
export class MetricsBridge {
  readonly #parts: MetricsBridgeParts;
  readonly #removals: (() => void)[] = [];
  #stopListening: (() => void) | undefined;
  #samples: ReadonlyMap<string, readonly Sample[]> | undefined;

  constructor(parts: MetricsBridgeParts) {
    this.#parts = parts;
  }

  /** Show the metrics that there are, and from now on each new one. */
  open(): void {
    this.#stopListening ??= this.#parts.instruments.onMetric((spec) => this.#show(spec));
  }

  /** Show nothing any more. */
  close(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    for (const remove of this.#removals.splice(0)) remove();
  }

  #show(spec: InstrumentSpec): void {
    const { meter } = this.#parts;
    const { name, help: description, kind } = spec;
    const unit = unitOf(name);
    if (kind === "gauge")
      return this.#observe(meter.createObservableGauge(name, { description, unit }), spec, value);
    if (kind === "counter")
      return this.#observe(meter.createObservableCounter(name, { description, unit }), spec, value);
    for (const [part, read, partUnit] of [
      ["sum", value, unit],
      ["count", count, "1"],
      ["bucket", buckets, "1"],
    ] as const) {
      const options = { description: `${description} (${part})`, unit: partUnit };
      this.#observe(meter.createObservableCounter(`${name}_${part}`, options), spec, read);
    }
  }

  #observe(
    observable: Observable,
    { name }: InstrumentSpec,
    read: (sample: Sample, observe: Observe) => void,
  ): void {
    const callback: ObservableCallback = (result) => {
      for (const sample of this.#readOnce().get(name) ?? [])
        read(sample, (amount, extra) => {
          // An unknown amount (NaN) is no amount.
          if (Number.isFinite(amount))
            result.observe(amount, { ...this.#parts.attributes, ...sample.labels, ...extra });
        });
    };
    observable.addCallback(callback);
    this.#removals.push(() => observable.removeCallback(callback));
  }

  /** All callbacks of a collection are called in one go: read the instruments for the first of them. */
  #readOnce(): ReadonlyMap<string, readonly Sample[]> {
    if (this.#samples === undefined) {
      this.#samples = Map.groupBy(this.#parts.instruments.read(), ({ spec }) => spec.name);
      queueMicrotask(() => (this.#samples = undefined));
    }
    return this.#samples;
  }
}

function value(sample: Sample, observe: Observe): void {
  observe(sample.value, {});
}

function count({ bucketCounts }: Sample, observe: Observe): void {
  observe(bucketCounts?.reduce((sum, each) => sum + each, 0) ?? 0, {});
}

function buckets({ spec, bucketCounts }: Sample, observe: Observe): void {
  let cumulated = 0;
  for (const [index, each] of (bucketCounts ?? []).entries()) {
    cumulated += each;
    observe(cumulated, { le: String(spec.buckets?.[index] ?? "+Inf") });
  }
}

function unitOf(name: string): string {
  if (name.includes("_seconds")) return "s";
  return name.includes("_bytes") ? "By" : "1";
}
