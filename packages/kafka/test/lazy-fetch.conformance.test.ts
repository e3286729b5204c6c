import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import kafkajs from "kafkajs";
import type { Kafka } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { COMPRESSIONS, registerCodecs } from "../src/kafkajs/compression-codecs.ts";
import type { FetchedElement } from "../src/kafkajs/fetch-response-decoder.ts";
import { LazyFetch } from "../src/kafkajs/lazy-fetch.ts";
import { RecordBatchWriter } from "../src/kafkajs/record-batch-writer.ts";
import {
  consume,
  lazy,
  sendWithClient,
  sorted,
  texts,
  transactionalProducer,
} from "./consumers.ts";
import type { Seen } from "./consumers.ts";
import { client, connectedCluster, createTopic, produce, until } from "./kafka-topic.ts";

let broker: KafkaCluster;
let kafka: Kafka;

beforeAll(async () => {
  broker = await startKafka({ brokerConfig: { "log.cleaner.backoff.ms": "200" } });
  kafka = client(broker.brokers);
});

afterAll(async () => {
  await broker.close();
});

describe("a consumer with lazy fetching", () => {
  test("reads what an ordinary consumer beside it reads, whose messages stay ordinary, also one that was there first", async () => {
    const topic = await createTopic(kafka, { partitions: 2 });
    await using first = await consume(kafka, { topic });
    registerCodecs();
    const { None, GZIP, Snappy, ZSTD } = kafkajs.CompressionTypes;
    for (const compression of [None, GZIP, Snappy, ZSTD]) {
      await sendWithClient(kafka, topic, { compression, count: 600 });
    }
    await until("the first consumer's reading", () => first.seen.length === 2400);
    const fetch = new LazyFetch({ verifyChecksums: true });
    await using ours = await consume(kafka, { topic, fetch });
    await using third = await consume(kafka, { topic });
    await until("the reading of all", () => ours.seen.length >= 2400 && third.seen.length >= 2400);
    await sendWithClient(kafka, topic, { compression: kafkajs.CompressionTypes.None, count: 100 });
    await until("the reading of more", () =>
      [first, ours, third].every(({ seen }) => seen.length >= 2500),
    );
    expect(sorted(ours.seen)).toEqual(sorted(first.seen));
    expect(sorted(third.seen)).toEqual(sorted(first.seen));
    expect(fetch.decoder).toEqual({ kind: "lazy" });
  });

  test("reads only committed messages of transactions that interleave, and its position passes the rest", async () => {
    const topic = await createTopic(kafka);
    const [outer, inner] = [
      await transactionalProducer(kafka, `${topic}-outer`),
      await transactionalProducer(kafka, `${topic}-inner`),
    ];
    const committed: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      const one = await outer.transaction();
      await one.send({ topic, messages: [{ value: `outer ${round} a` }] });
      const two = await inner.transaction();
      await two.send({ topic, messages: [{ value: `inner ${round}` }] });
      if (round % 3 === 0) await two.commit();
      else await two.abort();
      await one.send({ topic, messages: [{ value: `outer ${round} b` }] });
      if (round % 4 === 0) await one.commit();
      else await one.abort();
      if (round % 4 === 0) committed.push(`outer ${round} a`, `outer ${round} b`);
      if (round % 3 === 0) committed.push(`inner ${round}`);
    }
    await Promise.all([outer.disconnect(), inner.disconnect()]);
    const lastOffsets: bigint[] = [];
    await using ours = await consume(kafka, { topic, fetch: new LazyFetch() });
    ours.consumer.on(ours.consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      lastOffsets.push(BigInt(payload.lastOffset));
    });
    await using everything = await consume(kafka, {
      topic,
      fetch: new LazyFetch(),
      readUncommitted: true,
    });
    await until(
      "the reading of all",
      () => ours.seen.length >= committed.length && everything.seen.length >= 36,
    );
    // 36 messages and 24 markers; the last transaction was aborted.
    await until("the passing of the last marker", () => lastOffsets.at(-1) === 59n);
    expect(texts(ours.seen).toSorted()).toEqual(committed.toSorted());
    expect(everything.seen).toHaveLength(36);
  });

  test("reads a compacted topic with its holes", async () => {
    const config = {
      "cleanup.policy": "compact",
      "segment.ms": "100",
      "min.cleanable.dirty.ratio": "0.01",
      "max.compaction.lag.ms": "200",
    };
    const topic = await createTopic(kafka, { config });
    await using cluster = await connectedCluster(kafka);
    const writer = new RecordBatchWriter();
    const write = async (...keys: readonly string[]): Promise<void> => {
      writer.reset();
      for (const key of keys) {
        writer.append({
          key: Buffer.from(key),
          value: Buffer.from(key),
          headers: [],
          timestampMs: Date.now(),
        });
      }
      await produce(cluster, { topic }, await writer.finish());
    };
    await write("often", "once 1", "often", "once 2", "often");
    await write("often", "often");
    await write("often", "once 3");
    const read = async (): Promise<Seen[]> => {
      const end = `end ${randomUUID()}`;
      await write(end);
      await using ours = await consume(kafka, {
        topic,
        fetch: new LazyFetch({ verifyChecksums: true }),
      });
      await until("the reading of the end", () => texts(ours.seen).includes(end));
      return ours.seen.filter(
        ({ value }) =>
          !Buffer.from(value ?? "", "hex")
            .toString()
            .startsWith("end"),
      );
    };
    await until("compaction", async () => {
      await write("often");
      return (await read())[0]?.offset === "1";
    });
    const seen = await read();
    expect(texts(seen).filter((text) => text.startsWith("once"))).toEqual([
      "once 1",
      "once 2",
      "once 3",
    ]);
    expect(seen.slice(0, 3).map(({ offset }) => offset)).toEqual(["1", "3", "8"]);
  });

  test.each(["none", "gzip"] as const)(
    "begins in the middle of a batch when it seeks there (%s)",
    async (name) => {
      const topic = await createTopic(kafka);
      await using cluster = await connectedCluster(kafka);
      const writer = new RecordBatchWriter();
      for (let index = 0; index < 10; index += 1) {
        writer.append({
          key: null,
          value: Buffer.from(String(index)),
          headers: [],
          timestampMs: 1,
        });
      }
      await produce(cluster, { topic }, await writer.finish({ compression: name }));
      await using ours = await consume(kafka, { topic, fetch: new LazyFetch() });
      await until("the reading of all", () => ours.seen.length === 10);
      ours.consumer.seek({ topic, partition: 0, offset: "7" });
      await until("the reading again", () => ours.seen.length >= 13);
      expect(texts(ours.seen).slice(10)).toEqual(["7", "8", "9"]);
    },
  );

  test("reads a topic with log append time", async () => {
    const config = { "message.timestamp.type": "LogAppendTime" };
    const topic = await createTopic(kafka, { partitions: 2, config });
    const before = Date.now();
    await sendWithClient(kafka, topic, { compression: kafkajs.CompressionTypes.None, count: 100 });
    await using ours = await consume(kafka, { topic, fetch: new LazyFetch() });
    await using theirs = await consume(kafka, { topic });
    await until("the reading of all", () => ours.seen.length >= 100 && theirs.seen.length >= 100);
    expect(sorted(ours.seen)).toEqual(sorted(theirs.seen));
    expect(Number(ours.seen[0]?.timestamp)).toBeGreaterThanOrEqual(before);
  });
});

describe("a partition that cannot be read", () => {
  test("is told of at its position, holds up no other partition, and goes on there once it can be read", async () => {
    const topic = await createTopic(kafka, {
      partitions: 2,
      config: { "compression.type": "producer" },
    });
    const lz4Topic = await createTopic(kafka, { config: { "compression.type": "lz4" } });
    await using cluster = await connectedCluster(kafka);
    const writer = new RecordBatchWriter();
    const write = async (to: string, partition: number, value: string): Promise<void> => {
      writer.reset();
      writer.append({
        key: null,
        value: Buffer.from(value.repeat(50)),
        headers: [],
        timestampMs: 1,
      });
      await produce(cluster, { topic: to, partition }, await writer.finish());
    };
    await write(lz4Topic, 0, "packed");
    const fetch = new LazyFetch();
    const elements: FetchedElement[] = [];
    const config = fetch.consumerConfig({ groupId: `g-${randomUUID()}`, maxWaitTimeInMs: 50 });
    const consumer = kafka.consumer(config);
    await consumer.connect();
    try {
      await consumer.subscribe({ topics: [topic, lz4Topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async (payload) => {
          const batches: readonly unknown[] = payload.batch.messages;
          elements.push(...(batches as readonly FetchedElement[]));
          if (elements.at(-1)?.kind === "unreadable") payload.pause();
          else payload.resolveOffset(payload.batch.lastOffset());
        },
      });
      await until("word of the unreadable partition", () =>
        elements.some(({ kind }) => kind === "unreadable"),
      );
      await write(topic, 1, "readable");
      await until("the reading of another partition", () =>
        elements.some(({ kind }) => kind === "batch"),
      );
      expect(elements.filter(({ kind }) => kind === "unreadable")).toMatchObject([
        {
          offset: "0",
          error: {
            code: "BUS_UNSUPPORTED",
            message: expect.stringContaining("install kafkajs-lz4"),
          },
        },
      ]);
      const lz4 = createRequire(import.meta.url)("lz4js") as {
        decompress(bytes: Buffer): Uint8Array;
      };
      const registry = kafkajs.CompressionCodecs as Record<number, () => unknown>;
      registry[COMPRESSIONS.lz4] = () => ({
        decompress: async (bytes: Buffer) => Buffer.from(lz4.decompress(bytes)),
      });
      consumer.resume([{ topic: lz4Topic }]);
      const ofLz4 = (): FetchedElement[] =>
        elements.filter((element) => element.kind === "batch" && element.batch.topic === lz4Topic);
      await until("the reading of the partition", () => ofLz4().length === 1);
      expect(texts(lazy(ofLz4()))).toEqual(["packed".repeat(50)]);
    } finally {
      await consumer.disconnect();
    }
  });
});
