import { aggregate } from "@bus/aggregate";
import type { AggregateApi, AggregateOptions } from "@bus/aggregate";
import { backlog } from "@bus/backlog";
import type { BacklogApi } from "@bus/backlog";
import { createEventBus, defineTopic } from "@bus/core";
import type { BusSettings, BusWith, ConfiguredTransport, Plugin, Topic } from "@bus/core";
import { dlq } from "@bus/dlq";
import type { DlqApi } from "@bus/dlq";
import { memory, memoryBroker } from "@bus/memory";
import type { MemoryBroker, MemoryOptions } from "@bus/memory";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";
import { metrics } from "@bus/metrics";
import type { MetricsApi } from "@bus/metrics";
import { readScrape } from "./scrape.ts";
import type { Scrape } from "./scrape.ts";

/** What the tests publish. */
export const Orders: Topic<number> = defineTopic<number>("orders", {
  key: (value) => `customer-${value % 10}`,
});

/** What a service differs in. */
export interface ServiceSetup {
  readonly bus?: BusSettings;
  readonly memory?: MemoryOptions;
  readonly aggregate?: AggregateOptions;
}

/** A bus with every plugin. */
export interface Service {
  readonly bus: BusWith<
    readonly [Plugin<AggregateApi>, Plugin<BacklogApi>, Plugin<DlqApi>, Plugin<MetricsApi>]
  >;
  readonly transport: ConfiguredTransport;
  readonly scrape: () => Promise<Scrape>;
  /** Let so much time pass while something goes on. @param ms - 100 when absent. */
  readonly passing: <TResult>(work: Promise<TResult>, ms?: number) => Promise<TResult>;
  readonly close: () => Promise<unknown>;
}

/** A broker, and the time of a test. */
export interface World {
  readonly clock: ManualClock;
  readonly broker: MemoryBroker;
  /** A bus on this broker. */
  readonly service: (setup?: ServiceSetup) => Service;
}

/** A broker with two partitions a topic, whose time stands still. */
export function world(): World {
  const clock = manualClock({ startMs: 1_000_000 });
  const broker = memoryBroker({ partitions: 2 });
  const service = (setup: ServiceSetup = {}): Service => {
    const transport = memory({ broker, sessionTimeoutMs: 5_000, ...setup.memory });
    const bus = createEventBus({
      group: "billing",
      ...setup.bus,
      clock,
      random: () => 0.5,
      transport,
      plugins: [
        aggregate({ startMode: "normal", ...setup.aggregate }),
        backlog({ maxLagMessages: 20, checkIntervalMs: 1_000, checkJitter: 0 }),
        dlq({ retry: { attempts: 2, baseMs: 100, maxMs: 100, jitter: 0 } }),
        metrics(),
      ],
    });
    const scrape = async (): Promise<Scrape> => readScrape(await bus.metrics.scrape());
    const passing = async <TResult>(work: Promise<TResult>, ms = 100): Promise<TResult> => {
      await clock.advanceAsync(ms);
      return work;
    };
    const close = (): Promise<unknown> => passing(bus.close({ drainTimeoutMs: 0 }), 10);
    return { bus, transport, scrape, passing, close };
  };
  return { clock, broker, service };
}

/** Numbers from 0. */
export function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** A handler that does not end by itself. */
export const never: Promise<void> = new Promise<void>(() => undefined);
