import { BusError } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { consumerProperties } from "../src/confluent/confluent-config.ts";
import { loadConfluent } from "../src/confluent/load-confluent.ts";
import { OffsetCommits } from "../src/confluent/offset-commits.ts";
import type { ConsumerOptions } from "../src/driver-options.ts";
import {
  FAST,
  commitsOnRelease,
  connectedDriver,
  failure,
  joined,
  newTopic,
  numbered,
  publish,
  send,
  uniqueName,
  until,
} from "./confluent-harness.ts";
import type { TestDriver } from "./confluent-harness.ts";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka();
});

afterAll(() => cluster.close());

function connected(consumer: ConsumerOptions = {}, producer = {}): Promise<TestDriver> {
  return connectedDriver({
    brokers: cluster.brokers,
    consumer: { ...FAST, ...consumer },
    producer,
  });
}

describe("a commit with Confluent's client", () => {
  it("fails when the broker refuses it: a partition that there is not, a member that was expelled", async () => {
    await using one = await connected();
    const [topic, group] = [await newTopic(one, 1), uniqueName("group")];
    const { consumer } = await joined(one, group, topic);
    const error = await failure(consumer.commit([{ topic, partition: 9, offset: 1n }]));
    expect([error.code, error.details["brokerCode"]]).toEqual([
      "BUS_TOPIC_MISSING",
      "UNKNOWN_TOPIC_OR_PARTITION",
    ]);
    await consumer.commit([{ topic, partition: 0, offset: 0n }]);
    await consumer.close();
    expect((await failure(consumer.commit([{ topic, partition: 0, offset: 1n }]))).code).toBe(
      "BUS_FENCED",
    );
  });

  it("fails when a part of it is refused: OFFSET_METADATA_TOO_LARGE, of which the client's own call knows nothing", async () => {
    await using one = await connected();
    const [topic, group] = [await newTopic(one, 2), uniqueName("group")];
    const module = loadConfluent();
    const client = new module.KafkaConsumer({
      ...consumerProperties(one.options, group),
      offset_commit_cb: true,
    });
    await new Promise<void>((resolve, reject) => {
      client.connect({ allTopics: false, timeout: 10_000 }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
    client.assign([0, 1].map((partition) => ({ topic, partition, offset: 0 })));
    const commits = new OffsetCommits({ group, clock: systemClock, timeoutMs: 10_000 });
    commits.attach(client);
    let isPolling = true;
    const polling = (async () => {
      client.setDefaultConsumeTimeout(20);
      while (isPolling) await new Promise<void>((resolve) => client.consume(1, () => resolve()));
    })();
    await commits.commit([{ topic, partition: 0, offset: 1 }]);
    const error = await failure(
      commits.commit([
        { topic, partition: 0, offset: 2 },
        { topic, partition: 1, offset: 2, metadata: "x".repeat(5_000) },
      ]),
    );
    expect([error.code, error.details["brokerCode"]]).toEqual([
      "BUS_BROKER_REJECTED",
      "OFFSET_METADATA_TOO_LARGE",
    ]);
    isPolling = false;
    await polling;
    await new Promise<void>((resolve) => void client.disconnect(resolve));
  });
});

describe("a member with Confluent's client and Kafka 4.1", () => {
  it("lets the brokers divide partitions (KIP-848), and reads nothing twice", async () => {
    await using one = await connected({ protocol: "consumer" });
    await using two = await connected({ protocol: "consumer" });
    const [topic, group] = [await newTopic(one, 4), uniqueName("group")];
    await publish(one, numbered({ topic, partitions: 4 }, 400));
    const first = await joined(one, group, topic);
    commitsOnRelease(first);
    await until(() => first.sink.deliveries.length === 400);
    const second = await joined(two, group, topic);
    commitsOnRelease(second);
    await until(() => second.sink.owns.length === 2 && first.sink.owns.length === 2, 60_000);
    await publish(one, numbered({ topic, partitions: 4 }, 400, 400));
    const all = (): readonly string[] => [...first.sink.values(), ...second.sink.values()];
    await until(() => new Set(all()).size === 800);
    await sleep(300);
    expect(all()).toHaveLength(800);
  });

  it("ends when another process takes the same static membership over, and says why", async () => {
    const consumer = { groupInstanceId: "instance-1" };
    await using one = await connected(consumer);
    await using two = await connected(consumer);
    const [topic, group] = [await newTopic(one, 1), uniqueName("group")];
    const first = await joined(one, group, topic);
    const second = await joined(two, group, topic);
    await until(() => first.sink.ends.length === 1, 60_000);
    const [error] = first.sink.ends;
    expect(BusError.is(error, "BUS_FENCED")).toBe(true);
    await publish(two, numbered({ topic, partitions: 1 }, 3));
    await until(() => second.sink.deliveries.length === 3);
    expect(first.sink.deliveries).toEqual([]);
  });

  it("comes back when the event loop was blocked for longer than it may be silent", async () => {
    await using one = await connected({
      sessionTimeoutMs: 6_000,
      rebalanceTimeoutMs: 6_000,
      drainTimeoutMs: 1_000,
    });
    const [topic, group] = [await newTopic(one, 1), uniqueName("group")];
    const { consumer, sink } = await joined(one, group, topic);
    await publish(one, numbered({ topic, partitions: 1 }, 10));
    await until(() => sink.deliveries.length === 10);
    const untilMs = Date.now() + 9_000;
    while (Date.now() < untilMs);
    await until(() => sink.losses.length === 1 && sink.ownerships.length >= 2);
    await until(() => sink.deliveries.length >= 20);
    await consumer.commit(sink.offsets());
    expect(sink.ends).toEqual([]);
  });
});

describe("Confluent's client through a restart of the broker", () => {
  it("goes on publishing and consuming by itself, and tells when the cluster was gone and came back", async () => {
    await using one = await connected();
    const topic = await newTopic(one, 2);
    const { sink } = await joined(one, uniqueName("group"), topic);
    await publish(one, numbered({ topic, partitions: 2 }, 10));
    await until(() => sink.deliveries.length === 10);
    await cluster.kill(1);
    await until(() => one.events.some(({ kind }) => kind === "disconnected"));
    const sending = numbered({ topic, partitions: 2 }, 10, 10).map((record) =>
      send(one.driver.producer, record),
    );
    await cluster.restart(1);
    await Promise.all(sending);
    await until(() => new Set(sink.values()).size === 20, 60_000);
    await until(() => one.events.some(({ kind }) => kind === "connected"));
    expect(one.events.filter(({ kind }) => kind === "disconnected")).toHaveLength(1);
  });

  it("closes while everything runs, and leaves no handle", async () => {
    const before = process.getActiveResourcesInfo().length;
    const one = await connected();
    const topic = await newTopic(one, 4);
    const { sink } = await joined(one, uniqueName("group"), topic);
    await one.driver.producer.loadTopic(topic);
    const sending = numbered({ topic, partitions: 4 }, 5_000).map((record) =>
      send(one.driver.producer, record).catch(() => undefined),
    );
    await until(() => sink.deliveries.length > 0);
    const asking = one.driver.admin.topicOffsets(topic).catch(() => undefined);
    await one.driver.close();
    await Promise.all([...sending, asking]);
    const received = sink.deliveries.length;
    await until(() => process.getActiveResourcesInfo().length <= before + 1, 5_000);
    expect(sink.deliveries).toHaveLength(received);
  });
});
