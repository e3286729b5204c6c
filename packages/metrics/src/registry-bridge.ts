import type { Instruments, Sample } from "@bus/core";
import { BusConfigError } from "@bus/core";
import { InstrumentMetric } from "./instrument-metric.ts";
import type { SampleSource } from "./instrument-metric.ts";

/**
 * The part of prom-client's `Registry` that is used. A registry asks its metrics for `get` only, so ours need not be one
 * of prom-client's classes.
 */
export interface MetricRegistry {
  registerMetric(metric: { get(): Promise<unknown> }): void;
  getSingleMetric(name: string): unknown;
  removeSingleMetric(name: string): void;
}

/** Keeps a prom-client registry in step with the instruments of a bus: metrics appear when their first series does. */
export class RegistryBridge {
  readonly #registry: MetricRegistry;
  readonly #instruments: Instruments;
  readonly #source: SampleSource;
  readonly #bridged = new Map<string, InstrumentMetric>();
  #samples: readonly Sample[] = [];

  constructor(
    registry: MetricRegistry,
    instruments: Instruments,
    labels: Readonly<Record<string, string>>,
  ) {
    this.#registry = registry;
    this.#instruments = instruments;
    this.#source = { samples: () => this.#samples, labels };
  }

  /**
   * Read the instruments once, for all metrics of a scrape.
   *
   * @throws BusConfigError `BUS_CONFIG` when the service has a metric of the same name that is not a bus's.
   */
  refresh(): void {
    this.#samples = this.#instruments.read();
    for (const { spec } of this.#samples) {
      if (this.#bridged.has(spec.name)) continue;
      const existing = this.#registry.getSingleMetric(spec.name);
      const metric = existing ?? new InstrumentMetric(spec);
      if (!(metric instanceof InstrumentMetric)) throw nameTaken(spec.name);
      if (existing === undefined) this.#registry.registerMetric(metric);
      metric.add(this.#source);
      this.#bridged.set(spec.name, metric);
    }
  }

  /** Take this bus's series out of the registry. */
  close(): void {
    for (const [name, metric] of this.#bridged)
      if (!metric.remove(this.#source)) this.#registry.removeSingleMetric(name);
    this.#bridged.clear();
  }
}

function nameTaken(name: string): BusConfigError {
  return new BusConfigError(
    "BUS_CONFIG",
    `the registry already has a metric ${name} that is not a bus's`,
    {
      details: { path: "metrics.registry", value: name },
    },
  );
}
