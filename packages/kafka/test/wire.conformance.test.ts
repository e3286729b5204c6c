import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BusError, OutgoingMessage, Transport } from "@bus/core";
import { testHost, until } from "@bus/testkit";
import type { KafkaDriverName, ProducerOptions } from "../src/index.ts";
import { COMPRESSIONS } from "../src/kafkajs/compression-codecs.ts";
import { FetchedRecordBatch } from "../src/kafkajs/fetched-record-batch.ts";
import { LazyFetch } from "../src/kafkajs/lazy-fetch.ts";
import { KafkaLab } from "./kafka-lab.ts";
import { registerLz4 } from "./lz4-frames.ts";

let lab: KafkaLab;
let names = 0;

beforeAll(async () => {
  registerLz4();
  lab = await KafkaLab.start();
});

afterAll(() => lab[Symbol.asyncDispose]());

async function newTopic(config: Readonly<Record<string, string>> = {}): Promise<string> {
  names += 1;
  const topic = `wire-${Date.now()}-${names}`;
  const transport = lab.process().create(testHost());
  await transport.connect();
  await transport.capabilities.topics?.create([{ topic, partitions: 1, config }]);
  await transport.close({ drainTimeoutMs: 0 });
  return topic;
}

async function withTransport(
  { driver, ...producer }: ProducerOptions & { readonly driver: KafkaDriverName },
  use: (transport: Transport) => Promise<void>,
): Promise<void> {
  const transport = lab.process({ driver, producer }).create(testHost());
  await transport.connect();
  await use(transport);
  await transport.close({ drainTimeoutMs: 5_000 });
}

function messages(topic: string, count: number, sizeBytes: number): readonly OutgoingMessage[] {
  return Array.from({ length: count }, (_, index) => ({
    topic,
    key: Buffer.from(`key-${index}`),
    value: Buffer.alloc(sizeBytes, index % 7),
    headers: [["number", Buffer.from(String(index))]],
  }));
}

/** The headers of the record batches in a topic's log, as they are stored. */
async function storedBatches(
  topic: string,
  records: number,
): Promise<readonly FetchedRecordBatch[]> {
  const fetch = new LazyFetch();
  const found: FetchedRecordBatch[] = [];
  const consumer = lab.client.consumer(
    fetch.consumerConfig({ groupId: `${topic}-log`, maxWaitTimeInMs: 50 }),
  );
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      const elements: readonly unknown[] = batch.messages;
      found.push(...elements.filter((one) => one instanceof FetchedRecordBatch));
      return Promise.resolve();
    },
  });
  const count = (): number => found.reduce((sum, { batch }) => sum + batch.header.recordCount, 0);
  await until(() => count() >= records, { timeoutMs: 10_000, what: "the log", state: count });
  await consumer.disconnect();
  return found;
}

describe.each(["kafkajs", "confluent"] as const)("on the wire, %s", (driver) => {
  describe("compression", () => {
    test.each(["none", "gzip", "snappy", "lz4", "zstd"] as const)(
      "%s stands in the attributes of every stored batch, and the messages come back",
      async (compression) => {
        const topic = await newTopic();
        await withTransport({ driver, compression }, async (transport) => {
          await transport.publish(messages(topic, 200, 500));
          const values: number[] = [];
          const subscription = await transport.subscribe(
            { group: topic, topics: [{ topic }] },
            (delivery) => {
              values.push(delivery.value?.length ?? -1);
              delivery.settle({ kind: "ack" });
            },
          );
          await until(() => values.length === 200, { timeoutMs: 10_000, what: "200 messages" });
          expect(new Set(values)).toEqual(new Set([500]));
          await subscription.close({ drainTimeoutMs: 1_000 });
        });
        const batches = await storedBatches(topic, 200);
        expect(batches.map(({ batch }) => batch.header.compression)).toEqual(
          batches.map(() => COMPRESSIONS[compression]),
        );
        const storedBytes = batches.reduce((sum, { batch }) => sum + batch.header.sizeBytes, 0);
        expect(storedBytes < 200 * 500).toBe(compression !== "none");
      },
    );

    test("a level changes what is stored", async () => {
      const sizes = await Promise.all(
        [1, 9].map(async (compressionLevel) => {
          const topic = await newTopic();
          const text = Array.from(
            { length: 20_000 },
            (_, index) => `${index} ${(index * 7919) % 1_000}`,
          ).join(" ");
          await withTransport(
            { driver, compression: "gzip", compressionLevel },
            async (transport) => {
              await transport.publish([
                { topic, key: null, value: Buffer.from(text), headers: [] },
              ]);
            },
          );
          return (await storedBatches(topic, 1))[0]?.batch.header.sizeBytes ?? 0;
        }),
      );
      expect(sizes[0]).toBeGreaterThan(sizes[1] ?? 0);
    });
  });

  test("an idempotent producer stamps its batches with gapless sequence numbers of one producer", async () => {
    const topic = await newTopic();
    await withTransport({ driver, flushMessages: 10 }, async (transport) => {
      await Promise.all(
        Array.from({ length: 5 }, () => transport.publish(messages(topic, 20, 10))),
      );
    });
    const headers = (await storedBatches(topic, 100)).map(({ batch }) => batch.header);
    expect(new Set(headers.map(({ producerId }) => producerId)).size).toBe(1);
    expect(headers[0]?.producerId).toBeGreaterThanOrEqual(0);
    let next = 0;
    for (const { baseSequence, recordCount } of headers) {
      expect(baseSequence).toBe(next);
      expect(recordCount).toBeLessThanOrEqual(10);
      next += recordCount;
    }
  });

  test.each([
    ["leader", 0],
    ["none", undefined],
  ] as const)(
    "with requiredAcks %s messages are stored without an identity",
    async (requiredAcks, offset) => {
      const topic = await newTopic();
      await withTransport({ driver, requiredAcks, idempotent: false }, async (transport) => {
        const receipts = await transport.publish(messages(topic, 10, 10));
        expect(receipts[0]?.offset).toEqual(offset === undefined ? undefined : BigInt(offset));
      });
      const batches = await storedBatches(topic, 10);
      expect(batches[0]?.batch.header.producerId).toBe(-1);
    },
  );

  test("a message that is too large for the options is refused before anything is sent", async () => {
    const topic = await newTopic();
    await withTransport({ driver, maxMessageBytes: 1_000 }, async (transport) => {
      await expect(transport.publish(messages(topic, 1, 2_000))).rejects.toMatchObject({
        code: "BUS_MESSAGE_TOO_LARGE",
      });
    });
    await lab.admin.fetchTopicOffsets(topic).then(([offsets]) => expect(offsets?.high).toBe("0"));
  });

  test("a topic that does not exist is named at once, for publishing and for subscribing", async () => {
    await withTransport({ driver }, async (transport) => {
      const [message] = messages("no-such-topic", 1, 1);
      if (message === undefined) throw new TypeError("no message");
      const startedMs = performance.now();
      await expect(transport.publish([message])).rejects.toMatchObject({
        code: "BUS_TOPIC_MISSING",
      });
      const subscribing = transport.subscribe(
        { group: "g", topics: [{ topic: "no-such-topic" }] },
        () => undefined,
      );
      await expect(subscribing).rejects.toMatchObject({ code: "BUS_TOPIC_MISSING" });
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    });
  });
});

// librdkafka does not divide batches: see confluent-publish.conformance.test.ts.
test("batches that are too large for their topic go in smaller ones, and only a message that is too large by itself fails", async () => {
  const topic = await newTopic({ "max.message.bytes": "20000" });
  await withTransport({ driver: "kafkajs" }, async (transport) => {
    const receipts = await transport.publish(messages(topic, 100, 1_000));
    expect(receipts.map(({ offset }) => offset)).toEqual(
      Array.from({ length: 100 }, (_, index) => BigInt(index)),
    );
    const error = await transport.publish(messages(topic, 1, 30_000)).then(
      () => undefined,
      (thrown: BusError) => thrown,
    );
    expect(error).toMatchObject({
      code: "BUS_MESSAGE_TOO_LARGE",
      details: { brokerCode: "MESSAGE_TOO_LARGE" },
    });
  });
});
