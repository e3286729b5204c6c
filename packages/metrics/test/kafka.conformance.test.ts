import { createEventBus, defineTopic } from "@bus/core";
import type { BusSettings } from "@bus/core";
import { kafka } from "@bus/kafka";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { until } from "@bus/testkit";
import { startKafka } from "@bus/tools-brokers";
import { metrics } from "@bus/metrics";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readScrape } from "./support/scrape.ts";
import type { Scrape } from "./support/scrape.ts";

const soon = { timeoutMs: 60_000, intervalMs: 100 };
let cluster: Awaited<ReturnType<typeof startKafka>>;
let topics = 0;

beforeAll(async () => {
  cluster = await startKafka();
});
afterAll(() => cluster.close());

/** A bus on the real broker, and a topic of its own. */
function service(name: string, settings: BusSettings = {}) {
  const topic = defineTopic<number>(`${name}-${++topics}`, { key: String });
  const member = () => {
    const bus = createEventBus({
      group: `${name}-group`,
      ...settings,
      transport: kafka({
        brokers: cluster.brokers,
        driver: kafkajsDriver(),
        consumer: { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500, commitIntervalMs: 100 },
        topics: { ensure: "create", partitions: 2 },
      }),
      plugins: [metrics()],
    });
    const scrape = async (): Promise<Scrape> => readScrape(await bus.metrics.scrape());
    return { bus, scrape };
  };
  return { topic, member, ...member() };
}

it("idle is healthy, and what is handled and committed is counted", async () => {
  const { topic, bus, scrape } = service("idle");
  await bus.subscribe(topic, () => undefined);
  await bus.start();
  await until(async () => (await bus.health()).overall === "healthy", {
    ...soon,
    what: "health",
  });
  await bus.publishMany(topic, [1, 2, 3]);
  const handled = async () =>
    (await scrape()).sum("bus_messages_consumed_total", { topic: topic.name, outcome: "ack" }) ===
    3;
  await until(handled, { ...soon, what: "three messages to be counted" });
  await until(
    async () => (await bus.lag()).partitions.every(({ lagMessages }) => lagMessages === 0n),
    { ...soon, what: "their commit" },
  );
  const text = await scrape();
  expect(text.sum("bus_commit_seconds_count")).toBeGreaterThan(0);
  expect(text.sum("bus_connected")).toBe(1);
  expect(await bus.health()).toMatchObject({ overall: "healthy" });
  await bus.close();
  expect(await bus.health()).toMatchObject({ overall: "unhealthy" });
});

it("a partition that a poison message holds rises and is unhealthy at its limit; the message is named", async () => {
  const { topic, bus, scrape } = service("stalled", { stalledAfterMs: 2_000 });
  await bus.subscribe(topic, ({ value }) => {
    if (value === 1) throw new TypeError("poison");
  });
  await bus.start();
  await bus.publish(topic, 1);
  const isUnhealthy = async () =>
    (await bus.health()).components["subscriptions"]?.status === "unhealthy";
  await until(isUnhealthy, { ...soon, what: "the stalled partition to be told" });
  const first = (await scrape()).greatest("bus_partition_stalled_seconds") ?? 0;
  expect(first).toBeGreaterThanOrEqual(2);
  await bus.publish(topic, 1);
  const rises = async () =>
    ((await scrape()).greatest("bus_partition_stalled_seconds") ?? 0) > first + 1;
  await until(rises, { ...soon, what: "the gauge to rise" });
  const heads = bus
    .inspect()
    .groups.flatMap(({ partitions }) => partitions.flatMap(({ head }) => head ?? []));
  expect(heads[0]).toMatchObject({ offset: 0n, key: "1", lastError: "TypeError" });
  await bus.close({ drainTimeoutMs: 0 });
});

it("a rebalance is counted by the members that it concerns, and leaves both healthy", async () => {
  const { topic, bus, scrape, member } = service("rebalance");
  await bus.subscribe(topic, () => undefined);
  await bus.start();
  const before = (await scrape()).sum("bus_rebalances_total") ?? 0;
  const second = member();
  await second.bus.subscribe(topic, () => undefined);
  await second.bus.start();
  const counted = async () => ((await scrape()).sum("bus_rebalances_total") ?? 0) > before;
  await until(counted, { ...soon, what: "the rebalance to be counted" });
  const bothHealthy = async () =>
    [await bus.health(), await second.bus.health()].every(({ overall }) => overall === "healthy");
  await until(bothHealthy, { ...soon, what: "both members to be healthy" });
  await second.bus.close();
  await bus.close();
});

it("a broker that is gone degrades, is unhealthy beyond the grace, and healthy when it is back", async () => {
  const { topic, bus, scrape } = service("outage", { disconnectedAfterMs: 5_000 });
  await bus.subscribe(topic, () => undefined);
  await bus.start();
  await until(async () => (await bus.health()).overall === "healthy", { ...soon, what: "health" });
  const seen: string[] = [];
  const connection = async () => {
    const status = (await bus.health()).components["connection"]?.status ?? "missing";
    if (seen.at(-1) !== status) seen.push(status);
    return status;
  };
  await connection();
  await cluster.kill(1);
  await until(async () => (await connection()) === "unhealthy", {
    ...soon,
    what: "the grace to be over",
    state: () => seen,
  });
  const cut = await scrape();
  expect(cut.sum("bus_connected")).toBe(0);
  expect(cut.sum("bus_reconnects_total")).toBeGreaterThanOrEqual(1);
  await cluster.restart(1);
  await until(async () => (await connection()) === "healthy", {
    ...soon,
    what: "the connection to be back",
    state: () => seen,
  });
  expect(seen).toEqual(["healthy", "degraded", "unhealthy", "healthy"]);
  await bus.publish(topic, 1);
  const handled = async () =>
    (await scrape()).sum("bus_messages_consumed_total", { topic: topic.name, outcome: "ack" }) ===
    1;
  await until(handled, { ...soon, what: "the message after the outage" });
  await until(async () => (await bus.health()).overall === "healthy", {
    ...soon,
    what: "everything to be healthy",
    state: () => seen,
  });
  await bus.close();
});
