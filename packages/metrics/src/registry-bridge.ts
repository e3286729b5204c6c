import type { InstrumentSpec, Instruments, Logger, Sample } from "@bus/core";
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

/** What a bridge connects. */
export interface BridgeParts {
  readonly registry: MetricRegistry;
  readonly instruments: Instruments;
  /** Labels on every series of this bus. */
  readonly labels: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

/**
 * Keeps a prom-client registry in step with the instruments of a bus: metrics appear with their first series, and are
 * read whenever anybody scrapes the registry, whichever way.
 */
export class RegistryBridge {
  readonly #parts: BridgeParts;
  readonly #source: SampleSource;
  readonly #bridged = new Map<string, InstrumentMetric>();
  #stopListening: (() => void) | undefined;
  #samples: readonly Sample[] | undefined;

  constructor(parts: BridgeParts) {
    this.#parts = parts;
    this.#source = { samples: () => this.#readOnce(), labels: parts.labels };
  }

  /**
   * Register the metrics that there are, and from now on each new one.
   *
   * @throws BusConfigError `BUS_CONFIG` when the service has a metric of the same name that is not a bus's.
   */
  open(): void {
    let opening = true;
    this.#stopListening ??= this.#parts.instruments.onMetric((spec) => {
      const problem = this.#bridge(spec);
      if (problem === undefined) return;
      if (opening) throw problem;
      // It came up while messages flow, which must not suffer from it.
      this.#parts.logger.error(problem.message, { ...problem.details });
    });
    opening = false;
  }

  /** Take this bus's series out of the registry. */
  close(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    for (const [name, metric] of this.#bridged)
      if (!metric.remove(this.#source)) this.#parts.registry.removeSingleMetric(name);
    this.#bridged.clear();
  }

  #bridge(spec: InstrumentSpec): BusConfigError | undefined {
    const { registry } = this.#parts;
    const existing = registry.getSingleMetric(spec.name);
    const metric = existing ?? new InstrumentMetric(spec);
    if (!(metric instanceof InstrumentMetric)) return nameTaken(spec.name);
    if (existing === undefined) registry.registerMetric(metric);
    metric.add(this.#source);
    this.#bridged.set(spec.name, metric);
    return undefined;
  }

  /** A registry asks all its metrics in one go: read the instruments for the first and keep that until the go is over. */
  #readOnce(): readonly Sample[] {
    if (this.#samples === undefined) {
      this.#samples = this.#parts.instruments.read();
      queueMicrotask(() => (this.#samples = undefined));
    }
    return this.#samples;
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
