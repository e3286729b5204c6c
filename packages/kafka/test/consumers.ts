import { randomUUID } from "node:crypto";
import kafkajs from "kafkajs";
import type { CompressionTypes, Consumer, EachBatchPayload, Kafka, Producer } from "kafkajs";
import type { FetchedElement } from "../src/kafkajs/fetch-response-decoder.ts";
import type { LazyFetch } from "../src/kafkajs/lazy-fetch.ts";
import { LazyRecord } from "../src/kafkajs/lazy-record.ts";
import { groupHeaders } from "./record-arbitraries.ts";

/** One message in a shape that both decoders can be brought to. */
export interface Seen {
  readonly partition: number;
  readonly offset: string;
  readonly timestamp: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: object;
}

/** A consumer at work; `seen` grows. */
export interface Running extends AsyncDisposable {
  readonly consumer: Consumer;
  readonly seen: Seen[];
}

/** What to read, and how. */
export interface ConsumeOptions {
  readonly topic: string;
  /** Absent: an ordinary consumer of the application. */
  readonly fetch?: LazyFetch;
  readonly readUncommitted?: boolean;
}

/** Read a topic from its beginning, in a group of its own. */
export async function consume(kafka: Kafka, options: ConsumeOptions): Promise<Running> {
  const { topic, fetch, readUncommitted = false } = options;
  const seen: Seen[] = [];
  const config = { groupId: `g-${randomUUID()}`, maxWaitTimeInMs: 50, readUncommitted };
  const consumer = kafka.consumer(fetch === undefined ? config : fetch.consumerConfig(config));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const note = async ({ batch }: EachBatchPayload): Promise<void> => {
    const messages: readonly unknown[] = batch.messages;
    if (fetch === undefined)
      seen.push(...batch.messages.map((message) => ordinary(batch.partition, message)));
    else seen.push(...lazy(messages as readonly FetchedElement[]));
  };
  await consumer.run({ autoCommit: false, eachBatch: note });
  return { consumer, seen, [Symbol.asyncDispose]: () => consumer.disconnect() };
}

function ordinary(partition: number, message: EachBatchPayload["batch"]["messages"][number]): Seen {
  return {
    partition,
    offset: message.offset,
    timestamp: message.timestamp,
    key: message.key?.toString("hex") ?? null,
    value: message.value?.toString("hex") ?? null,
    headers: message.headers ?? {},
  };
}

/** Every message of the elements. @throws the error of an unreadable one. */
export function lazy(elements: readonly FetchedElement[]): Seen[] {
  const seen: Seen[] = [];
  for (const element of elements) {
    if (element.kind === "unreadable") throw element.error;
    const cursor = element.cursor();
    while (cursor.next()) {
      const record = new LazyRecord(cursor);
      seen.push({
        partition: record.partition,
        offset: String(record.offset),
        timestamp: String(record.timestampMs),
        key: record.key?.toString("hex") ?? null,
        value: record.value?.toString("hex") ?? null,
        headers: groupHeaders(record.headers),
      });
    }
  }
  return seen;
}

/** By partition and offset. */
export function sorted(seen: readonly Seen[]): Seen[] {
  return seen.toSorted((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset));
}

/** The values as text. */
export function texts(seen: readonly Seen[]): string[] {
  return seen.map(({ value }) => Buffer.from(value ?? "", "hex").toString());
}

/** Messages of all shapes into both partitions of a topic, by kafkajs' own producer. */
export async function sendWithClient(
  kafka: Kafka,
  topic: string,
  load: { readonly compression: CompressionTypes; readonly count: number },
): Promise<void> {
  const { compression, count } = load;
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let from = 0; from < count; from += 100) {
    const messages = Array.from({ length: 100 }, (_, index) => ({
      key: index % 7 === 0 ? null : `key-${from + index}`,
      value: index % 11 === 0 ? null : `value ${from + index} `.repeat(1 + (index % 40)),
      partition: index % 2,
      timestamp: String(1_700_000_000_000 + 10 * from + index),
      headers: index % 3 === 0 ? {} : { type: "order", tag: ["a", "b"] },
    }));
    await producer.send({ topic, messages, compression });
  }
  await producer.disconnect();
}

/** A transactional producer at work. */
export async function transactionalProducer(
  kafka: Kafka,
  transactionalId: string,
): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  return producer;
}
