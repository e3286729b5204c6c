import { randomUUID } from "node:crypto";
import type { Kafka, KafkaMessage } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { COMPRESSIONS, registerCodecs } from "../src/kafkajs/compression-codecs.ts";
import type { KafkajsBroker, KafkajsCluster } from "../src/kafkajs/kafkajs-internals.ts";
import { initProducerId, sendProduce } from "../src/kafkajs/produce-request.ts";
import type { ProducedBatch, ProducerIdentity } from "../src/kafkajs/produce-request.ts";
import { lazyRecords } from "../src/kafkajs/lazy-record.ts";
import { parseRecordBatchHeader } from "../src/kafkajs/record-batch-header.ts";
import { readRecordBatch } from "../src/kafkajs/record-batch-reader.ts";
import { nextSequence, RecordBatchWriter } from "../src/kafkajs/record-batch-writer.ts";
import { readFetchResponse } from "../src/kafkajs/fetch-response.ts";
import { client, connectedCluster, createTopic, produce, until } from "./kafka-topic.ts";
import { fetchRaw } from "./raw-fetch.ts";

/** Kafka's error codes. */
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const CORRUPT_MESSAGE = 2;
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const INVALID_PRODUCER_EPOCH = 47;

let broker: KafkaCluster;
let kafka: Kafka;
let cluster: KafkajsCluster & AsyncDisposable;

beforeAll(async () => {
  registerCodecs();
  broker = await startKafka();
  kafka = client(broker.brokers);
  cluster = await connectedCluster(kafka);
});

afterAll(async () => {
  await cluster.disconnect();
  await broker.close();
});

interface BatchSpec {
  readonly values: readonly string[];
  readonly producer?: ProducerIdentity & { readonly baseSequence: number };
  readonly compression?: "none" | "gzip" | "snappy" | "zstd";
}

async function batchOf({ values, producer, compression = "none" }: BatchSpec): Promise<Buffer> {
  const writer = new RecordBatchWriter();
  for (const value of values) {
    writer.append({
      key: Buffer.from("k"),
      value: Buffer.from(value),
      headers: [
        ["tag", Buffer.from("a")],
        ["type", Buffer.from("order")],
        ["tag", Buffer.from("b")],
      ],
      timestampMs: 1_700_000_000_000,
    });
  }
  return await writer.finish({ compression, ...(producer === undefined ? {} : { producer }) });
}

async function leader(topic: string): Promise<KafkajsBroker> {
  await cluster.addMultipleTargetTopics([topic]);
  const nodeId = cluster.findTopicPartitionMetadata(topic)[0]?.leader ?? -1;
  return await cluster.findBroker({ nodeId });
}

/** A new identity; a broker that has just started may still load what it needs for one. */
async function identity(): Promise<ProducerIdentity> {
  let made: ProducerIdentity | undefined;
  await until("an identity", async () => {
    made = await initProducerId(cluster).catch(() => undefined);
    return made !== undefined;
  });
  if (made === undefined) throw new Error("no identity");
  return made;
}

/** What an ordinary consumer of kafkajs reads. */
async function readAll(topic: string, count: number): Promise<KafkaMessage[]> {
  const messages: KafkaMessage[] = [];
  const consumer = kafka.consumer({ groupId: `g-${randomUUID()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void messages.push(message) });
    await until("the reading of all", () => messages.length >= count);
    return messages;
  } finally {
    await consumer.disconnect();
  }
}

async function highWatermark(topic: string): Promise<string | undefined> {
  const { topics } = readFetchResponse(await fetchRaw(cluster, { topic }), 11);
  return topics[0]?.partitions[0]?.highWatermark;
}

describe("sendProduce", () => {
  test("stores batches that an ordinary consumer reads, and tells where", async () => {
    const topic = await createTopic(kafka);
    const first = await produce(cluster, { topic }, await batchOf({ values: ["a", "b"] }));
    const second = await produce(cluster, { topic }, await batchOf({ values: ["c"] }));
    expect(first).toEqual({
      topic,
      partition: 0,
      errorCode: 0,
      baseOffset: 0n,
      logAppendTimeMs: -1,
    });
    expect(second).toMatchObject({ errorCode: 0, baseOffset: 2n });
    const messages = await readAll(topic, 3);
    expect(messages.map(({ offset, value }) => `${offset} ${String(value)}`)).toEqual([
      "0 a",
      "1 b",
      "2 c",
    ]);
    expect(messages[0]).toMatchObject({
      key: Buffer.from("k"),
      timestamp: "1700000000000",
      headers: { tag: [Buffer.from("a"), Buffer.from("b")], type: Buffer.from("order") },
    });
  });

  test.each(["gzip", "zstd"] as const)(
    "stores a batch compressed with %s as it is, marked in its attributes",
    async (compression) => {
      const topic = await createTopic(kafka);
      const batch = await batchOf({ values: ["a".repeat(1000)], compression });
      await produce(cluster, { topic }, batch);
      const { topics } = readFetchResponse(await fetchRaw(cluster, { topic }), 11);
      const stored = topics[0]?.partitions[0]?.records ?? Buffer.alloc(0);
      expect(parseRecordBatchHeader(stored, 0, { topic, partition: 0 }).compression).toBe(
        COMPRESSIONS[compression],
      );
      expect(stored.length).toBe(batch.length);
    },
  );

  test.each(["gzip", "snappy", "zstd"] as const)(
    "compresses with %s what the broker itself can decompress",
    async (compression) => {
      const topic = await createTopic(kafka, { config: { "compression.type": "uncompressed" } });
      const values = Array.from({ length: 300 }, (_, index) => `${index} `.repeat(50));
      await produce(cluster, { topic }, await batchOf({ values, compression }));
      const { topics } = readFetchResponse(await fetchRaw(cluster, { topic }), 11);
      const stored = topics[0]?.partitions[0]?.records ?? Buffer.alloc(0);
      const batch = readRecordBatch(stored, 0, { topic, partition: 0 });
      expect(batch.header.compression).toBe(COMPRESSIONS.none);
      expect(lazyRecords(batch).map(({ value }) => String(value))).toEqual(values);
    },
  );

  test("tells the time of storing in a topic with log append time", async () => {
    const topic = await createTopic(kafka, {
      config: { "message.timestamp.type": "LogAppendTime" },
    });
    const before = Date.now();
    const result = await produce(cluster, { topic }, await batchOf({ values: ["a"] }));
    expect(result?.logAppendTimeMs).toBeGreaterThanOrEqual(before);
  });

  test("carries several partitions of several topics in one request, each with its own result", async () => {
    const [one, two] = [await createTopic(kafka, { partitions: 2 }), await createTopic(kafka)];
    const batch = await batchOf({ values: ["a"] });
    const corrupt = Buffer.from(batch);
    corrupt[70] = 0xff;
    const results = await sendProduce(await leader(one), {
      acks: -1,
      timeoutMs: 10_000,
      partitions: [
        { topic: one, partition: 0, batch },
        { topic: two, partition: 0, batch: corrupt },
        { topic: one, partition: 1, batch },
        { topic: one, partition: 99, batch },
      ],
    });
    const errors = Object.fromEntries(
      results.map(({ topic, partition, errorCode }) => [`${topic}[${partition}]`, errorCode]),
    );
    expect(errors).toEqual({
      [`${one}[0]`]: 0,
      [`${one}[1]`]: 0,
      [`${one}[99]`]: UNKNOWN_TOPIC_OR_PARTITION,
      [`${two}[0]`]: CORRUPT_MESSAGE,
    });
  });

  test("does not wait for an answer with acks 0", async () => {
    const topic = await createTopic(kafka);
    expect(
      await produce(cluster, { topic, acks: 0 }, await batchOf({ values: ["a"] })),
    ).toBeUndefined();
    await until("the storing", async () => (await highWatermark(topic)) === "1");
  });

  test("fails with the client's own error when the broker is gone, and the connection can be made again", async () => {
    await using other = await startKafka();
    await using away = await connectedCluster(client(other.brokers, 1));
    const topic = await createTopic(client(other.brokers));
    const batch = await batchOf({ values: ["a"] });
    await produce(away, { topic }, batch);
    await other.kill(1);
    const gone = expect.stringMatching(/^KafkaJS/);
    await expect(produce(away, { topic }, batch)).rejects.toMatchObject({ name: gone });
    await other.restart(1);
    await until("storing again", async () => {
      const result = await produce(away, { topic }, batch).catch(() => undefined);
      return result?.errorCode === 0;
    });
  });
});

describe("an idempotent producer of our own", () => {
  test("is told apart by its identity", async () => {
    const [one, two] = [await identity(), await identity()];
    expect(one.producerId).toBeGreaterThanOrEqual(0n);
    expect(two.producerId).not.toBe(one.producerId);
  });

  test("stores a batch once however often it is sent, and gets the first offset each time", async () => {
    const topic = await createTopic(kafka);
    const producer = { ...(await identity()), baseSequence: 0 };
    await produce(cluster, { topic }, await batchOf({ values: ["before"] }));
    const batch = await batchOf({ values: ["a", "b"], producer });
    const results: (ProducedBatch | undefined)[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1)
      results.push(await produce(cluster, { topic }, batch));
    const stored = { errorCode: 0, baseOffset: 1n };
    expect(results).toMatchObject([stored, stored, stored]);
    expect(await highWatermark(topic)).toBe("3");
  });

  test("is refused a batch that leaves a gap in the sequence, so that a lost one cannot go unnoticed", async () => {
    const topic = await createTopic(kafka);
    const me = await identity();
    await produce(
      cluster,
      { topic },
      await batchOf({ values: ["a", "b"], producer: { ...me, baseSequence: 0 } }),
    );
    const late = await batchOf({ values: ["d"], producer: { ...me, baseSequence: 3 } });
    expect(await produce(cluster, { topic }, late)).toMatchObject({
      errorCode: OUT_OF_ORDER_SEQUENCE_NUMBER,
    });
    const missing = await batchOf({
      values: ["c"],
      producer: { ...me, baseSequence: nextSequence(0, 2) },
    });
    expect(await produce(cluster, { topic }, missing)).toMatchObject({
      errorCode: 0,
      baseOffset: 2n,
    });
    expect(await produce(cluster, { topic }, late)).toMatchObject({ errorCode: 0, baseOffset: 3n });
  });

  test("is refused when a later epoch of it has written", async () => {
    const topic = await createTopic(kafka);
    const me = await identity();
    const later = { ...me, producerEpoch: me.producerEpoch + 1 };
    await produce(
      cluster,
      { topic },
      await batchOf({ values: ["a"], producer: { ...later, baseSequence: 0 } }),
    );
    const stale = await batchOf({ values: ["b"], producer: { ...me, baseSequence: 0 } });
    expect(await produce(cluster, { topic }, stale)).toMatchObject({
      errorCode: INVALID_PRODUCER_EPOCH,
    });
  });

  test("keeps the order of 200 batches to each of four partitions that are sent side by side, one at a time each", async () => {
    const topic = await createTopic(kafka, { partitions: 4 });
    const me = await identity();
    await Promise.all(
      [0, 1, 2, 3].map(async (partition) => {
        let baseSequence = 0;
        for (let index = 0; index < 200; index += 1) {
          const values = Array.from(
            { length: 1 + (index % 3) },
            () => `${partition}-${baseSequence++}`,
          );
          const producer = { ...me, baseSequence: baseSequence - values.length };
          const result = await produce(
            cluster,
            { topic, partition },
            await batchOf({ values, producer }),
          );
          expect(result?.errorCode).toBe(0);
        }
      }),
    );
    const perPartition = 399;
    const messages = await readAll(topic, 4 * perPartition);
    for (const partition of ["0", "1", "2", "3"]) {
      const values = messages
        .map(({ value }) => String(value))
        .filter((value) => value.startsWith(`${partition}-`));
      expect(values).toEqual(
        Array.from({ length: perPartition }, (_, index) => `${partition}-${index}`),
      );
    }
  });
});
