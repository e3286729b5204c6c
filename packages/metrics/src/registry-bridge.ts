import type { Instruments, Sample } from "@bus/core";
import { BusConfigError } from "@bus/core";
import type { Metric, Registry } from "prom-client";
import { InstrumentMetric } from "./instrument-metric.ts";
import type { SampleSource } from "./instrument-metric.ts";

/** Keeps a prom-client registry in step with the instruments of a bus: metrics appear when their first series does. */
export class RegistryBridge {
  readonly #registry: Registry;
  readonly #instruments: Instruments;
  readonly #source: SampleSource;
  readonly #bridged = new Map<string, InstrumentMetric>();
  #samples: readonly Sample[] = [];

  constructor(registry: Registry, instruments: Instruments, labels: Readonly<Record<string, string>>) {
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
      const existing: unknown = this.#registry.getSingleMetric(spec.name);
      const metric = existing ?? new InstrumentMetric(spec);
      if (!(metric instanceof InstrumentMetric)) throw nameTaken(spec.name);
      // prom-client's own classes are not needed: a registry asks for `name` and `get` only.
      if (existing === undefined) this.#registry.registerMetric(metric as unknown as Metric);
      metric.add(this.#source);
      this.#bridged.set(spec.name, metric);
    }
  }

  /** Take this bus's series out of the registry. */
  close(): void {
    for (const [name, metric] of this.#bridged) if (!metric.remove(this.#source)) this.#registry.removeSingleMetric(name);
    this.#bridged.clear();
  }
}

function nameTaken(name: string): BusConfigError {
  return new BusConfigError("BUS_CONFIG", `the registry already has a metric ${name} that is not a bus's`, {
    details: { path: "metrics.registry", value: name },
  });
}
