// oxlint-disable no-restricted-imports -- what operators see is proven on the transport that most people run
import { aggregate } from "@bus/aggregate";
import type { AggregateApi } from "@bus/aggregate";
import { backlog } from "@bus/backlog";
import type { BacklogApi } from "@bus/backlog";
import { createEventBus, defineTopic } from "@bus/core";
import type {
  BusHealth,
  BusSettings,
  BusWith,
  ComponentHealth,
  ConfiguredTransport,
  Plugin,
  Topic,
} from "@bus/core";
import { dlq } from "@bus/dlq";
import type { DlqApi } from "@bus/dlq";
import { kafka } from "@bus/kafka";
import type { KafkaOptions } from "@bus/kafka";
import { confluentDriver } from "@bus/kafka/confluent";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { until } from "@bus/testkit";
import type { KafkaCluster } from "@bus/tools-brokers";
import { metrics } from "@bus/metrics";
import type { MetricsApi } from "@bus/metrics";
import { readScrape } from "./scrape.ts";
import type { Scrape } from "./scrape.ts";

/** The clients that the suites run with. */
export const DRIVERS = ["kafkajs", "confluent"] as const;
/** Name of a client. */
export type DriverName = (typeof DRIVERS)[number];

const FACTORIES = { kafkajs: kafkajsDriver, confluent: confluentDriver };
const SOON = { timeoutMs: 60_000, intervalMs: 100 };
let topics = 0;

/** A topic that no other test has. */
export function newTopic(driver: DriverName, name: string): Topic<number> {
  topics += 1;
  return defineTopic<number>(`${driver}-${name}-${topics}`, { key: String });
}

/** The transport of one process: rebalances and commits within seconds, topics are made when needed. */
export function transportOf(
  cluster: KafkaCluster,
  driver: DriverName,
  consumer: KafkaOptions["consumer"] = {},
): ConfiguredTransport {
  return kafka({
    brokers: cluster.brokers,
    driver: FACTORIES[driver](),
    consumer: {
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 500,
      rebalanceTimeoutMs: 20_000,
      commitIntervalMs: 100,
      ...consumer,
    },
    topics: { ensure: "create", partitions: 2 },
  });
}

/** A bus that exports its metrics, and nothing else. */
export function plainBus(
  transport: ConfiguredTransport,
  settings: BusSettings,
): BusWith<readonly [Plugin<MetricsApi>]> {
  return createEventBus({ ...settings, transport, plugins: [metrics()] });
}

/** A bus with every plugin that tells something. */
export function fullBus(
  transport: ConfiguredTransport,
  settings: BusSettings,
): BusWith<
  readonly [Plugin<AggregateApi>, Plugin<BacklogApi>, Plugin<DlqApi>, Plugin<MetricsApi>]
> {
  const recovery = { clearChecks: 1, activeLaneRatio: 1, minDwellMs: 0 };
  return createEventBus({
    ...settings,
    transport,
    plugins: [
      aggregate({ startMode: "normal", concurrency: 4, ...recovery }),
      backlog({ maxLagMessages: 20, checkIntervalMs: 300, checkTimeoutMs: 1_000 }),
      dlq({ retry: { attempts: 2, baseMs: 50, maxMs: 50, jitter: 0 } }),
      metrics(),
    ],
  });
}

/** What is asked of a bus. */
interface Asked {
  health(): Promise<BusHealth>;
  readonly metrics: { scrape(): Promise<string> };
}

/** The metrics of a bus now. */
export async function scrapeOf(bus: Asked): Promise<Scrape> {
  return readScrape(await bus.metrics.scrape());
}

/** Wait for what a scrape says. */
export async function untilScrape(
  bus: Asked,
  what: string,
  condition: (scrape: Scrape) => boolean,
): Promise<Scrape> {
  let last = await scrapeOf(bus);
  await until(async () => condition((last = await scrapeOf(bus))), {
    ...SOON,
    what,
    state: () => last.text.split("\n").filter((line) => line.startsWith("bus_")),
  });
  return last;
}

/** Wait until a component of health has a status. */
export async function untilComponent(
  bus: Asked,
  name: string,
  status: ComponentHealth["status"],
): Promise<string> {
  let last: BusHealth | undefined;
  await until(async () => (last = await bus.health()).components[name]?.status === status, {
    ...SOON,
    what: `${name} to be ${status}`,
    state: () => last,
  });
  return last?.components[name]?.detail ?? "";
}

/** Wait until everything is healthy. */
export async function untilHealthy(bus: Asked): Promise<void> {
  let last: BusHealth | undefined;
  await until(async () => (last = await bus.health()).overall === "healthy", {
    ...SOON,
    what: "health",
    state: () => last,
  });
}
