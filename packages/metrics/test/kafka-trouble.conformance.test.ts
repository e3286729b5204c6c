import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import kafkajs from "kafkajs";
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
import { numbers } from "./support/service.ts";

let cluster: KafkaCluster;
let admin: kafkajs.Admin;

beforeAll(async () => {
  cluster = await startKafka();
  const { brokers } = cluster;
  admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin.disconnect();
  await cluster.close();
});

/** Set how large a record of a topic may be. */
async function limitRecords(name: string, bytes: number): Promise<void> {
  const configEntries = [{ name: "max.message.bytes", value: String(bytes) }];
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  await admin.alterConfigs({ validateOnly: false, resources: [{ type, name, configEntries }] });
}

describe.each(DRIVERS)("on a real Kafka with %s", (driver) => {
  it("a service that falls behind shows its lag, a backlog, recovery mode and lanes, until it has caught up", async () => {
    const topic = newTopic(driver, "behind");
    const ofTopic = { topic: topic.name, group: topic.name };
    const bus = fullBus(transportOf(cluster, driver), { group: topic.name });
    const gate = Promise.withResolvers<void>();
    await bus.subscribeWithAggregateId(topic, () => gate.promise);
    await bus.start();
    await untilHealthy(bus);
    await bus.publishMany(topic, numbers(100));
    const behind = await untilScrape(
      bus,
      "the backlog",
      (scrape) =>
        scrape.sum("bus_consumer_lag_messages", ofTopic) === 100 &&
        scrape.sum("bus_recovery_mode_active") === 1 &&
        (scrape.sum("bus_consumer_lag_seconds", ofTopic) ?? 0) > 1,
    );
    expect(behind.sum("bus_backlog_detected", { group: topic.name })).toBe(1);
    // In recovery mode the next messages go through lanes.
    await bus.publishMany(topic, numbers(10));
    await untilScrape(
      bus,
      "lanes",
      (scrape) => (scrape.sum("bus_lanes", { state: "active" }) ?? 0) > 0,
    );
    await untilComponent(bus, "backlog", "degraded");
    await untilComponent(bus, "recovery", "degraded");
    gate.resolve();
    await untilHealthy(bus);
    const clear = await untilScrape(
      bus,
      "the lag to be gone",
      (scrape) => scrape.sum("bus_consumer_lag_messages", ofTopic) === 0,
    );
    expect(clear.sum("bus_backlog_detected")).toBe(0);
    expect(clear.sum("bus_recovery_mode_active")).toBe(0);
    expect(clear.sum("bus_lane_wait_seconds_count")).toBe(110);
    await bus.close();
  });

  it("dead letters that the broker refuses degrade and are counted; stored and dealt with, all is well", async () => {
    const topic = newTopic(driver, "refused");
    const letters = `${topic.name}.dlq`;
    await admin.createTopics({ topics: [{ topic: letters, numPartitions: 2 }] });
    await limitRecords(letters, 10);
    const bus = fullBus(transportOf(cluster, driver), { group: topic.name });
    await bus.subscribe(topic, () => {
      throw new SyntaxError("broken");
    });
    await bus.start();
    await bus.publish(topic, 1);
    expect(await untilComponent(bus, "handlers", "degraded")).toBe(
      `dead letters of ${topic.name} cannot be stored`,
    );
    const failures = (await scrapeOf(bus)).sum("bus_dead_letter_failures_total");
    expect(failures).toBeGreaterThanOrEqual(1);
    await limitRecords(letters, 1_000_000);
    await untilScrape(
      bus,
      "the dead letter",
      (scrape) => scrape.sum("bus_dead_letter_messages_total", { topic: topic.name }) === 1,
    );
    await untilHealthy(bus);
    const discarded = bus.deadLetters.discard({ topic: topic.name, by: "test", reason: "a test" });
    expect(await discarded).toMatchObject({ done: 1 });
    const dealtWith = { topic: letters, outcome: "discarded" };
    expect((await scrapeOf(bus)).sum("bus_dead_letter_dealt_with_total", dealtWith)).toBe(1);
    await bus.close();
  });

  it("a topic without a handler is held, one whose handlers do not end is paused, and a handler past its deadline is overdue", async () => {
    const topic = newTopic(driver, "held");
    const other = newTopic(driver, "unread");
    const settings = { group: topic.name, holdTopics: [other.name] };
    const bus = plainBus(transportOf(cluster, driver, { maxInFlightMessages: 4 }), settings);
    const gate = Promise.withResolvers<void>();
    await bus.subscribe(topic, () => gate.promise, { maxProcessingTimeMs: 500 });
    await bus.start();
    await bus.publishMany(topic, numbers(50));
    expect(await untilComponent(bus, "subscriptions", "degraded")).toBe(
      `topics without a handler are held: ${other.name}`,
    );
    const paused = await untilScrape(
      bus,
      "pauses and overdue handlers",
      (scrape) =>
        scrape.sum("bus_paused_partitions", { reason: "inFlight" }) === 2 &&
        scrape.sum("bus_paused_partitions", { reason: "held" }) === 2 &&
        (scrape.sum("bus_handlers_overdue_total", { topic: topic.name }) ?? 0) > 0,
    );
    expect(paused.sum("bus_held_topics", { group: topic.name })).toBe(1);
    expect(paused.sum("bus_in_flight_messages", { topic: topic.name })).toBeLessThanOrEqual(4);
    gate.resolve();
    await bus.subscribe(other, () => undefined);
    await untilHealthy(bus);
    await bus.close();
  });

  it("a rebalance that waits for a handler longer than its limit degrades, until it is over", async () => {
    const topic = newTopic(driver, "slow-rebalance");
    const settings = { group: topic.name, rebalancingAfterMs: 1_000 };
    const consumer = { drainTimeoutMs: 9_000 };
    const bus = plainBus(transportOf(cluster, driver, consumer), settings);
    const gate = Promise.withResolvers<void>();
    await bus.subscribe(topic, () => gate.promise);
    await bus.start();
    await bus.publishMany(topic, numbers(20));
    await untilScrape(bus, "a handler", (scrape) => scrape.sum("bus_in_flight_messages") !== 0);
    const second = plainBus(transportOf(cluster, driver), { group: topic.name });
    await second.subscribe(topic, () => gate.promise);
    const joining = second.start();
    expect(await untilComponent(bus, "subscriptions", "degraded")).toMatch(
      /^group .* has been rebalancing for/,
    );
    // By itself a rebalance is no illness.
    expect((await bus.health()).components[`kafka.group.${topic.name}`]).toMatchObject({
      status: "healthy",
      detail: "rebalancing",
    });
    gate.resolve();
    await joining;
    await untilHealthy(bus);
    await untilHealthy(second);
    await second.close();
    await bus.close();
  });

  it("two buses in one process keep their numbers and their health apart", async () => {
    const topics = [newTopic(driver, "first"), newTopic(driver, "second")] as const;
    const [first, second] = topics.map(({ name }) =>
      plainBus(transportOf(cluster, driver), { group: name, stalledAfterMs: 1_000 }),
    );
    if (first === undefined || second === undefined) throw new Error("two buses were made");
    const gate = Promise.withResolvers<void>();
    await first.subscribe(topics[0], () => gate.promise);
    await second.subscribe(topics[1], () => undefined);
    await Promise.all([first.start(), second.start()]);
    await first.publish(topics[0], 1);
    await second.publishMany(topics[1], [1, 2]);
    await untilComponent(first, "subscriptions", "unhealthy");
    const settled = (scrape: Awaited<ReturnType<typeof scrapeOf>>): unknown =>
      scrape.sum("bus_messages_consumed_total", { outcome: "ack" });
    await untilScrape(second, "both messages", (scrape) => settled(scrape) === 2);
    expect((await second.health()).overall).toBe("healthy");
    expect(settled(await scrapeOf(first))).toBe(0);
    gate.resolve();
    await untilHealthy(first);
    await Promise.all([first.close(), second.close()]);
  });
});

it("a blocked event loop is told before and after it costs the membership; what comes again is dropped and counted", async () => {
  const topic = newTopic("kafkajs", "blocked");
  const consumer = {
    sessionTimeoutMs: 1_500,
    heartbeatIntervalMs: 400,
    // What has been handled stays uncommitted, and is fetched again after the expulsion.
    commitIntervalMs: 60_000,
    commitEveryMessages: 100_000,
  };
  const bus = plainBus(transportOf(cluster, "kafkajs", consumer), { group: topic.name });
  const handled = new Map<number, number>();
  await bus.subscribe(topic, ({ value }) => {
    handled.set(value, (handled.get(value) ?? 0) + 1);
    const untilMs = value === 49 ? performance.now() + 4_000 : 0;
    while (performance.now() < untilMs);
  });
  await bus.start();
  await bus.publishMany(topic, numbers(50));
  expect(await untilComponent(bus, "eventLoop", "degraded")).toMatch(
    /blocked for 4\.\d s by the handler of kafkajs-blocked-\d+\/\d@\d+/,
  );
  const text = await untilScrape(
    bus,
    "dropped duplicates",
    (scrape) => (scrape.sum("bus_duplicates_dropped_total", { topic: topic.name }) ?? 0) > 0,
  );
  expect(text.greatest("bus_event_loop_blocked_seconds")).toBeGreaterThanOrEqual(4);
  expect([...handled.values()].filter((runs) => runs > 1)).toEqual([]);
  await bus.close();
});

it("a member whose name another process has taken over has ended, and is unhealthy", async () => {
  const topic = newTopic("confluent", "replaced");
  const transport = () => transportOf(cluster, "confluent", { groupInstanceId: "billing-1" });
  const bus = plainBus(transport(), { group: topic.name });
  await bus.subscribe(topic, () => undefined);
  await bus.start();
  const replacement = plainBus(transport(), { group: topic.name });
  await replacement.subscribe(topic, () => undefined);
  await replacement.start();
  expect(await untilComponent(bus, "subscriptions", "unhealthy")).toMatch(
    /^the membership in group .* has ended/,
  );
  await untilHealthy(replacement);
  await replacement.close();
  await bus.close();
});
