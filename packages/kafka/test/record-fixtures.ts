/**
 * Records fetch responses of a real broker for `recorded-fetches.test.ts`.
 *
 * Usage: node --conditions=@bus/source packages/kafka/test/record-fixtures.ts
 */
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka } from "kafkajs";
import { startKafka } from "@bus/tools-brokers";
import type { KafkajsCluster } from "../src/kafkajs/kafkajs-internals.ts";
import { RecordBatchWriter } from "../src/kafkajs/record-batch-writer.ts";
import { decodeRecords } from "../src/kafkajs/fetch-response-decoder.ts";
import type { FetchedElement } from "../src/kafkajs/fetch-response-decoder.ts";
import { readFetchResponse } from "../src/kafkajs/fetch-response.ts";
import { decoding, messages } from "./decoded-response.ts";
import { client, connectedCluster, createTopic, produce, until } from "./kafka-topic.ts";
import { fetchRaw } from "./raw-fetch.ts";
import type { RawFetch } from "./raw-fetch.ts";
import type { RecordedFetch } from "./recorded-fetch.ts";

const TIME = 1_700_000_000_000;

const COMPACTED = {
  "cleanup.policy": "compact",
  "segment.ms": "100",
  "min.cleanable.dirty.ratio": "0.01",
  "max.compaction.lag.ms": "200",
};

async function main(): Promise<void> {
  await using broker = await startKafka({ brokerConfig: { "log.cleaner.backoff.ms": "200" } });
  const kafka = client(broker.brokers);
  await using cluster = await connectedCluster(kafka);
  const recorded: RecordedFetch[] = [];
  const record = async (name: string, fetch: RawFetch): Promise<void> => {
    const { version = 11, fetchOffset = 0 } = fetch;
    const payload = await fetchRaw(cluster, fetch);
    recorded.push({ name, version, fetchOffset, payload: payload.toString("base64") });
  };
  const plain = await createTopic(kafka);
  await writeBatches(cluster, plain);
  for (const version of [4, 5, 6, 7, 8, 9, 10, 11]) {
    await record(`version ${version}`, { topic: plain, version });
  }
  await record("from the middle of a batch", { topic: plain, fetchOffset: 3 });
  await record("cut at the end", { topic: plain, maxBytes: 700 });
  await record("nothing new", { topic: plain, fetchOffset: 15 });
  for (const codec of ["gzip", "snappy", "lz4", "zstd"]) {
    const topic = await createTopic(kafka, { config: { "compression.type": codec } });
    await writeBatches(cluster, topic);
    await record(`compressed by the broker with ${codec}`, { topic });
    await record(`from the middle of a batch compressed with ${codec}`, { topic, fetchOffset: 8 });
  }
  const appended = await createTopic(kafka, {
    config: { "message.timestamp.type": "LogAppendTime" },
  });
  await writeBatches(cluster, appended);
  await record("log append time", { topic: appended });
  const transactional = await createTopic(kafka);
  await writeTransactions(kafka, transactional);
  await until("the end of all transactions", async () => {
    const { topics } = readFetchResponse(await fetchRaw(cluster, { topic: transactional }), 11);
    const fetched = topics[0]?.partitions[0];
    return fetched?.lastStableOffset === "7" && fetched.highWatermark === "7";
  });
  await record("transactions, read committed", { topic: transactional });
  await record("transactions, read uncommitted", {
    topic: transactional,
    isolationLevel: "read_uncommitted",
  });
  const compacted = await compactedTopic(kafka, cluster);
  await record("compacted", { topic: compacted });
  const lines = recorded.map((fetch) => JSON.stringify(fetch));
  await writeFile(
    new URL("fixtures/recorded-fetches.jsonl", import.meta.url),
    `${lines.join("\n")}\n`,
  );
}

async function decodeFetch(payload: Buffer): Promise<FetchedElement[]> {
  const [elements] = await decodeRecords(readFetchResponse(payload, 11), decoding());
  return elements ?? [];
}

/** Three batches of five records with keys, values, headers and tombstones. */
async function writeBatches(cluster: KafkajsCluster, topic: string): Promise<void> {
  const writer = new RecordBatchWriter();
  for (let batch = 0; batch < 3; batch += 1) {
    writer.reset();
    for (let index = 0; index < 5; index += 1) {
      writer.append({
        key: index === 4 ? null : Buffer.from(`key-${index}`),
        value: index === 3 ? null : Buffer.from(`value ${batch} ${index} `.repeat(3)),
        headers:
          index % 2 === 0
            ? []
            : [
                ["type", Buffer.from("order")],
                ["type", Buffer.from("paid")],
                ["empty", Buffer.alloc(0)],
              ],
        timestampMs: TIME + 10 * batch - index,
      });
    }
    await produce(cluster, { topic }, await writer.finish());
  }
}

/** Two transactions begun one inside the other and aborted, a committed one, and messages outside. */
async function writeTransactions(kafka: Kafka, topic: string): Promise<void> {
  const producer = async (transactionalId: string) => {
    const made = kafka.producer({
      transactionalId: `${topic}-${transactionalId}`,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await made.connect();
    return made;
  };
  const [outer, inner] = [await producer("outer"), await producer("inner")];
  const send = (value: string) => ({
    topic,
    messages: [{ key: value, value }],
  });
  const first = await outer.transaction();
  await first.send(send("outer 1"));
  const second = await inner.transaction();
  await second.send(send("inner 1"));
  await second.abort();
  await first.send(send("outer 2"));
  await first.abort();
  const third = await inner.transaction();
  await third.send(send("committed"));
  await third.commit();
  await Promise.all([outer.disconnect(), inner.disconnect()]);
}

/** A topic whose older batches have lost some or all of their records. */
async function compactedTopic(kafka: Kafka, cluster: KafkajsCluster): Promise<string> {
  const topic = await createTopic(kafka, { config: COMPACTED });
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
  await write("often", "often", "once 3");
  await until("compaction", async () => {
    await write("often"); // Its time rolls the segment, so that the one before can be compacted.
    await sleep(300);
    const [first] = messages(await decodeFetch(await fetchRaw(cluster, { topic })));
    return first?.offset === 1n;
  });
  return topic;
}

await main();
