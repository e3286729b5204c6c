import { BusError } from "@bus/core";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  connectedDriver,
  failure,
  newMember,
  newTopic,
  publish,
  send,
  uniqueName,
  until,
} from "./confluent-harness.ts";
import type { TestDriver, TestMember } from "./confluent-harness.ts";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka();
});

afterAll(() => cluster.close());

async function readAll(driver: TestDriver, topic: string, count: number): Promise<TestMember> {
  const member = newMember(driver, uniqueName("reader"));
  await member.consumer.subscribe([{ topic, startFrom: "earliest" }]);
  await until(() => member.sink.deliveries.length >= count);
  return member;
}

describe("publishing with Confluent's client", () => {
  it("gives every record its own offset, in the order of the calls", async () => {
    await using one = await connectedDriver({ brokers: cluster.brokers });
    const { driver } = one;
    const topic = await newTopic(one, 3);
    await driver.producer.loadTopic(topic);
    expect(driver.producer.partitionCount(topic)).toBe(3);
    const receipts = await Promise.all(
      Array.from({ length: 3_000 }, (_, index) =>
        send(driver.producer, { topic, partition: index % 3, value: `${index}` }),
      ),
    );
    expect(receipts).toEqual(Array.from({ length: 3_000 }, (_, index) => Math.floor(index / 3)));
    const { sink } = await readAll(one, topic, 3_000);
    for (const partition of [0, 1, 2]) {
      const values = sink.deliveries
        .filter((delivery) => delivery.partition === partition)
        .map(({ value }) => Number(Buffer.from(value ?? [])));
      expect(values).toEqual(Array.from({ length: 1_000 }, (_, index) => index * 3 + partition));
    }
  });

  it("keeps bytes: headers with duplicates, order and empty values, tombstones, empty keys and values, timestamps", async () => {
    await using one = await connectedDriver({ brokers: cluster.brokers });
    const topic = await newTopic(one, 1);
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const headers = [
      ["a", Buffer.from("1")],
      ["b", bytes],
      ["a", Buffer.from("2")],
      ["empty", Buffer.alloc(0)],
      ["", Buffer.from("no name")],
      ["ü€😀", Buffer.from("unicode")],
      ["__proto__", Buffer.from("p")],
      ["0", Buffer.from("index")],
    ] as const;
    await publish(one, [
      { topic, partition: 0, key: "k", value: bytes, headers, timestampMs: 1_600_000_000_123 },
      { topic, partition: 0, key: "k", value: null },
      { topic, partition: 0, key: "", value: "" },
      { topic, partition: 0, key: null, value: "no key" },
    ]);
    const { sink } = await readAll(one, topic, 4);
    const [first, tombstone, empty, keyless] = sink.deliveries;
    expect(
      first?.headers.map(([name, value]) => [name, Buffer.from(value).toString("hex")]),
    ).toEqual(headers.map(([name, value]) => [name, Buffer.from(value).toString("hex")]));
    expect([Buffer.from(first?.value ?? []), first?.timestampMs]).toEqual([
      Buffer.from(bytes),
      1_600_000_000_123,
    ]);
    expect([
      Buffer.from(tombstone?.key ?? []).toString(),
      tombstone?.value,
      tombstone?.headers,
    ]).toEqual(["k", null, []]);
    expect([empty?.key?.length, empty?.value?.length]).toEqual([0, 0]);
    expect([keyless?.key, Buffer.from(keyless?.value ?? []).toString()]).toEqual([null, "no key"]);
  });

  for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const) {
    it(`publishes with ${compression}`, async () => {
      await using one = await connectedDriver({
        brokers: cluster.brokers,
        producer: { compression },
      });
      const topic = await newTopic(one, 1);
      const value = "compressible ".repeat(100);
      await publish(
        one,
        Array.from({ length: 20 }, () => ({ topic, partition: 0, value })),
      );
      const { sink } = await readAll(one, topic, 20);
      expect(new Set(sink.values())).toEqual(new Set([value]));
    });
  }

  it("gives no offset when nobody is asked", async () => {
    await using one = await connectedDriver({
      brokers: cluster.brokers,
      producer: { requiredAcks: "none", idempotent: false },
    });
    const topic = await newTopic(one, 1);
    await one.driver.producer.loadTopic(topic);
    expect(await send(one.driver.producer, { topic, partition: 0 })).toBeUndefined();
    await readAll(one, topic, 1);
  });

  it("rejects what is larger than maxMessageBytes before it is sent, and what the broker finds too large; the others get through", async () => {
    await using one = await connectedDriver({
      brokers: cluster.brokers,
      producer: { maxMessageBytes: 20_000 },
    });
    const topic = await newTopic(one, 1, { "max.message.bytes": "10000" });
    await one.driver.producer.loadTopic(topic);
    const { producer } = one.driver;
    expect(await send(producer, { topic, partition: 0, value: "before" })).toBe(0);
    const ours = await failure(
      send(producer, { topic, partition: 0, value: Buffer.alloc(20_001) }),
    );
    const theirs = await failure(
      send(producer, { topic, partition: 0, value: Buffer.alloc(15_000) }),
    );
    expect([ours.code, theirs.code]).toEqual(["BUS_MESSAGE_TOO_LARGE", "BUS_MESSAGE_TOO_LARGE"]);
    expect(ours.message).toContain("was not sent");
    expect(theirs.message).toContain("producer.batchSizeBytes");
    expect(await send(producer, { topic, partition: 0, value: "after" })).toBe(1);
  });

  it("waits in front of a full queue of the client, in order, and loses nothing", async () => {
    await using one = await connectedDriver({
      brokers: cluster.brokers,
      producer: { bufferMessages: 100, flushFrequencyMs: 0 },
    });
    const topic = await newTopic(one, 1);
    await one.driver.producer.loadTopic(topic);
    const sending = Array.from({ length: 5_000 }, (_, index) =>
      send(one.driver.producer, { topic, partition: 0, value: `${index}` }),
    );
    expect(await Promise.all(sending)).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
  });

  it("sends what lingers when it is flushed", async () => {
    await using one = await connectedDriver({
      brokers: cluster.brokers,
      producer: { flushFrequencyMs: 60_000, timeoutMs: 120_000 },
    });
    const topic = await newTopic(one, 1);
    await one.driver.producer.loadTopic(topic);
    let stored = 0;
    for (let index = 0; index < 10; index += 1)
      void send(one.driver.producer, { topic, partition: 0, timeoutMs: 120_000 }).then(
        () => (stored += 1),
      );
    await sleep(300);
    expect(stored).toBe(0);
    const startedMs = Date.now();
    await one.driver.producer.flush();
    expect(stored).toBe(10);
    expect(Date.now() - startedMs).toBeLessThan(20_000);
  });

  it("names a missing topic, soon", async () => {
    await using one = await connectedDriver({ brokers: cluster.brokers });
    const startedMs = Date.now();
    const error = await failure(one.driver.producer.loadTopic("there-is-no-such-topic"));
    expect([error.code, error.details["topic"]]).toEqual([
      "BUS_TOPIC_MISSING",
      "there-is-no-such-topic",
    ]);
    expect(Date.now() - startedMs).toBeLessThan(10_000);
    expect(one.driver.producer.partitionCount("there-is-no-such-topic")).toBeUndefined();
  });

  it("settles every record once when the driver closes while they are sent", async () => {
    const one = await connectedDriver({ brokers: cluster.brokers });
    const topic = await newTopic(one, 1);
    await one.driver.producer.loadTopic(topic);
    const sending = Array.from({ length: 1_000 }, () =>
      send(one.driver.producer, { topic, partition: 0 }).then(
        () => "stored",
        (error: unknown) => (BusError.is(error) ? error.code : String(error)),
      ),
    );
    await one.driver.close();
    const outcomes = new Set(await Promise.all(sending));
    for (const outcome of outcomes)
      expect(["stored", "BUS_OUTCOME_UNKNOWN", "BUS_PUBLISH_FAILED"]).toContain(outcome);
  });
});

describe("asking with Confluent's client", () => {
  it("creates topics with their settings, leaves existing ones alone, and describes and deletes them", async () => {
    await using one = await connectedDriver({ brokers: cluster.brokers });
    const { admin } = one.driver;
    const topic = uniqueName("topic");
    await admin.createTopics([
      { topic, partitions: 5, replicationFactor: 1, config: { "cleanup.policy": "compact" } },
    ]);
    await admin.createTopics([{ topic, partitions: 2 }]);
    expect(await admin.describeTopics([topic, "there-is-no-such-topic"])).toEqual([
      { topic, partitions: 5, replicationFactor: 1, config: {} },
    ]);
    await admin.deleteTopics([topic, "there-is-no-such-topic"]);
    expect(await admin.describeTopics([topic])).toEqual([]);
  });

  it("tells why a topic cannot be created", async () => {
    await using one = await connectedDriver({ brokers: cluster.brokers });
    const { admin } = one.driver;
    const replicas = await failure(
      admin.createTopics([{ topic: uniqueName("topic"), replicationFactor: 3 }]),
    );
    expect([replicas.code, replicas.details["brokerCode"]]).toEqual([
      "BUS_BROKER_REJECTED",
      "INVALID_REPLICATION_FACTOR",
    ]);
    const config = await failure(
      admin.createTopics([{ topic: uniqueName("topic"), config: { "no.such.setting": "1" } }]),
    );
    expect([config.code, config.details["brokerCode"]]).toEqual([
      "BUS_BROKER_REJECTED",
      "INVALID_CONFIG",
    ]);
  });

  it("finds ends and offsets by time; nothing that young is the end", async () => {
    await using one = await connectedDriver({ brokers: cluster.brokers });
    const { admin } = one.driver;
    const topic = await newTopic(one, 2);
    await publish(
      one,
      [1_000, 2_000, 3_000].map((timestampMs) => ({ topic, partition: 0, timestampMs })),
    );
    expect(await admin.topicOffsets(topic)).toEqual([
      { topic, partition: 0, low: 0n, high: 3n },
      { topic, partition: 1, low: 0n, high: 0n },
    ]);
    const at = async (timestampMs: number): Promise<readonly bigint[]> =>
      (await admin.offsetsAtTime(topic, timestampMs)).map(({ offset }) => offset);
    expect([await at(0), await at(2_000), await at(2_001), await at(9_000)]).toEqual([
      [0n, 0n],
      [1n, 0n],
      [2n, 0n],
      [3n, 0n],
    ]);
    expect((await failure(admin.topicOffsets("there-is-no-such-topic"))).code).toBe(
      "BUS_TOPIC_MISSING",
    );
  });

  it("reads positions of groups that it is not a member of, unknown ones included", async () => {
    await using one = await connectedDriver({ brokers: cluster.brokers });
    const topic = await newTopic(one, 2);
    await publish(one, [{ topic, partition: 0 }]);
    const group = uniqueName("group");
    expect(await one.driver.admin.committedOffsets(group, [topic])).toEqual([]);
    const { consumer, sink } = newMember(one, group);
    await consumer.subscribe([{ topic, startFrom: "earliest" }]);
    await until(() => sink.deliveries.length === 1);
    await consumer.commit([{ topic, partition: 0, offset: 1n }]);
    expect(
      await one.driver.admin.committedOffsets(group, [topic, "there-is-no-such-topic"]),
    ).toEqual([{ topic, partition: 0, offset: 1n }]);
    await one.driver.admin.ping();
  });
});
