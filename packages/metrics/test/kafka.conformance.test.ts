import { until } from "@bus/testkit";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  DRIVERS,
  fullBus,
  newTopic,
  plainBus,
  scrapeOf,
  transportOf,
  untilComponent,
  untilHealthy,
  untilScrape,
} from "./support/kafka-service.ts";

const soon = { timeoutMs: 60_000, intervalMs: 100 };
let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka();
});
afterAll(() => cluster.close());

describe.each(DRIVERS)("on a real Kafka with %s", (driver) => {
  it("idle is healthy, and what is handled and committed is counted", async () => {
    const topic = newTopic(driver, "idle");
    const group = topic.name;
    const bus = plainBus(transportOf(cluster, driver), { group });
    await bus.subscribe(topic, () => undefined);
    await bus.start();
    await untilHealthy(bus);
    expect(bus.describe()["loopBlockedAfterMs"]).toBe(2_000);
    await bus.publishMany(topic, [1, 2, 3]);
    const handled = { topic: topic.name, outcome: "ack" };
    await untilScrape(
      bus,
      "three messages to be counted",
      (scrape) => scrape.sum("bus_messages_consumed_total", handled) === 3,
    );
    await until(
      async () => (await bus.lag()).partitions.every(({ lagMessages }) => lagMessages === 0n),
      { ...soon, what: "their commit" },
    );
    const text = await scrapeOf(bus);
    const ofTopic = { topic: topic.name, group };
    expect(text.sum("bus_messages_published_total", { topic: topic.name, outcome: "stored" })).toBe(
      3,
    );
    expect(text.sum("bus_publish_seconds_count", { topic: topic.name })).toBe(3);
    expect(text.sum("bus_message_processing_seconds_count", ofTopic)).toBe(3);
    expect(text.sum("bus_message_end_to_end_seconds_count", ofTopic)).toBe(3);
    expect(text.sum("bus_commit_seconds_count")).toBeGreaterThan(0);
    expect(text.sum("bus_in_flight_messages", ofTopic)).toBe(0);
    expect(text.sum("bus_build_info")).toBe(1);
    expect(text.sum("bus_connected")).toBe(1);
    expect(await bus.health()).toMatchObject({ overall: "healthy" });
    await bus.close();
    expect(await bus.health()).toMatchObject({
      overall: "unhealthy",
      components: { bus: { detail: "the bus is closed" } },
    });
  });

  it("a partition that a poison message holds rises and is unhealthy at its limit; the message is named", async () => {
    const topic = newTopic(driver, "stalled");
    const settings = { group: topic.name, stalledAfterMs: 2_000 };
    const bus = plainBus(transportOf(cluster, driver), settings);
    await bus.subscribe(topic, ({ value }) => {
      if (value === 1) throw new TypeError("poison");
    });
    await bus.start();
    await bus.publish(topic, 1);
    expect(await untilComponent(bus, "subscriptions", "unhealthy")).toMatch(
      /is stalled at offset 0 for/,
    );
    const text = await scrapeOf(bus);
    const first = text.greatest("bus_partition_stalled_seconds") ?? 0;
    expect(first).toBeGreaterThanOrEqual(2);
    expect(text.greatest("bus_oldest_unsettled_seconds")).toBeGreaterThanOrEqual(2);
    expect(text.sum("bus_in_flight_bytes")).toBeGreaterThan(0);
    expect(text.sum("bus_processing_errors_total")).toBeGreaterThan(0);
    expect(text.sum("bus_retry_attempts_total")).toBeGreaterThan(0);
    await bus.publish(topic, 1);
    await untilScrape(
      bus,
      "the gauge to rise",
      (scrape) => (scrape.greatest("bus_partition_stalled_seconds") ?? 0) > first + 1,
    );
    expect(await untilComponent(bus, "handlers", "degraded")).toMatch(
      /failed at least three times/,
    );
    const heads = bus
      .inspect()
      .groups.flatMap(({ partitions }) => partitions.flatMap(({ head }) => head ?? []));
    expect(heads[0]).toMatchObject({ offset: 0n, key: "1", lastError: "TypeError" });
    await bus.close({ drainTimeoutMs: 0 });
  });

  it("members that come and go are counted as rebalances, and leave everybody healthy", async () => {
    const topic = newTopic(driver, "storm");
    const member = async () => {
      const bus = plainBus(transportOf(cluster, driver), { group: topic.name });
      await bus.subscribe(topic, () => undefined);
      await bus.start();
      return bus;
    };
    const bus = await member();
    const before = (await scrapeOf(bus)).sum("bus_rebalances_total") ?? 0;
    for (let round = 1; round <= 3; round++) {
      const guest = await member();
      await untilHealthy(guest);
      await untilScrape(
        bus,
        `rebalance ${round}`,
        (scrape) => (scrape.sum("bus_rebalances_total") ?? 0) >= before + round,
      );
      await guest.close();
    }
    await untilHealthy(bus);
    await bus.close();
  });

  it("a broker that is gone degrades, is unhealthy beyond the grace, and healthy when it is back", async () => {
    const topic = newTopic(driver, "outage");
    const bus = fullBus(transportOf(cluster, driver), {
      group: topic.name,
      disconnectedAfterMs: 5_000,
      publishProbe: { topic: `${topic.name}-probe`, timeoutMs: 1_000, intervalMs: 0 },
    });
    await bus.subscribe(topic, () => undefined);
    await bus.start();
    await untilHealthy(bus);
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
    expect(await untilComponent(bus, "publish", "unhealthy")).toMatch(/a probe .*-probe/);
    await untilComponent(bus, "backlog", "degraded");
    const cut = await scrapeOf(bus);
    expect(cut.sum("bus_connected")).toBe(0);
    expect(cut.sum("bus_reconnects_total")).toBeGreaterThanOrEqual(1);
    expect(cut.sum("bus_backlog_unknown")).toBe(1);
    await cluster.restart(1);
    await until(async () => (await connection()) === "healthy", {
      ...soon,
      what: "the connection to be back",
      state: () => seen,
    });
    expect(seen).toEqual(["healthy", "degraded", "unhealthy", "healthy"]);
    await untilComponent(bus, "publish", "healthy");
    await bus.publish(topic, 1);
    const handled = { topic: topic.name, outcome: "ack" };
    await untilScrape(
      bus,
      "the message after the outage",
      (scrape) => scrape.sum("bus_messages_consumed_total", handled) === 1,
    );
    await untilHealthy(bus);
    await bus.close();
  });
});
