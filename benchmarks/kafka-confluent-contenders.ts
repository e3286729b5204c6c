import { createRequire } from "node:module";
import type { ConsumeJob, PublishJob } from "./kafka-contenders.ts";
import { FirstToLast, freshGroup } from "./kafka-contenders.ts";
import { measure } from "./side-by-side.ts";
import type { Contender } from "./side-by-side.ts";
import type { LatencyPath, LatencyPlace } from "./kafka-latency.ts";
import { WORKLOAD_HEADERS, WorkloadCheck } from "./workload.ts";

/** What of Confluent's callback API is used here; the package types it as `any`. */
interface RawModule {
  readonly KafkaConsumer: new (properties: object) => RawConsumer;
  readonly Producer: new (properties: object) => RawProducer;
}

interface RawClient {
  connect(query: object, callback: (error: Error | null) => void): void;
  disconnect(...rest: readonly unknown[]): void;
  on(name: string, listener: (...values: never[]) => void): void;
}

interface RawConsumer extends RawClient {
  subscribe(topics: readonly string[]): void;
  setDefaultConsumeTimeout(timeoutMs: number): void;
  setDefaultIsTimeoutOnlyForFirstMessage(isOnly: boolean): void;
  consume(
    count: number,
    callback: (error: Error | null, messages: readonly RawMessage[]) => void,
  ): void;
  commit(positions: readonly object[]): void;
}

interface RawMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly value: Buffer | null;
}

interface RawReport {
  readonly opaque: number;
  readonly offset: number;
}

interface RawProducer extends RawClient {
  setPollInBackground(isOn: boolean): void;
  produce(...record: readonly unknown[]): void;
  getMetadata(query: object, callback: (error: Error | null) => void): void;
}

const load = (): RawModule =>
  createRequire(import.meta.url)("@confluentinc/kafka-javascript") as RawModule;

const connected = (client: RawClient): Promise<void> =>
  new Promise((resolve, reject) => {
    client.connect({ allTopics: false, timeout: 10_000 }, (error) =>
      error === null || error === undefined ? resolve() : reject(error),
    );
  });

/** Consume again as soon as the last call has called back. @returns Stops it. */
function consumeAll(
  consumer: RawConsumer,
  handle: (message: RawMessage) => void,
): () => Promise<void> {
  let isRunning = true;
  const stopped = new Promise<void>((resolve) => {
    const next = (): void =>
      consumer.consume(1_000, (error, batch) => {
        if (error === null || error === undefined) for (const message of batch) handle(message);
        if (isRunning) next();
        else resolve();
      });
    next();
  });
  return async () => {
    isRunning = false;
    await stopped;
  };
}

/** Batches of 1,000 from the callback API, own commits once a second of what was handled. */
export function rawConfluentConsumer({ brokers, topic, messages }: ConsumeJob): Contender {
  return {
    name: "raw confluent, consume(1000) with callback, own commit a second",
    async run() {
      const consumer = new (load().KafkaConsumer)({
        "bootstrap.servers": brokers.join(","),
        "group.id": freshGroup(),
        "auto.offset.reset": "earliest",
        "enable.auto.commit": false,
      });
      const check = new WorkloadCheck(messages);
      const timer = new FirstToLast(messages);
      const handled = new Map<number, number>();
      const commit = setInterval(() => {
        const positions = Array.from(handled, ([partition, offset]) => ({
          topic,
          partition,
          offset: offset + 1,
        }));
        handled.clear();
        if (positions.length > 0) consumer.commit(positions);
      }, 1000);
      await connected(consumer);
      consumer.setDefaultConsumeTimeout(20);
      consumer.subscribe([topic]);
      const stop = consumeAll(consumer, ({ value, partition, offset }) => {
        timer.first();
        if (value !== null && check.end(check.begin(value))) timer.last();
        handled.set(partition, offset);
      });
      const measurement = await timer.measurement;
      clearInterval(commit);
      await stop();
      await new Promise<void>((resolve) => consumer.disconnect(resolve));
      check.assertClean();
      return measurement;
    },
  };
}

/** One `produce` a message, idempotent, at most 10,000 unacknowledged; its report tells which message has which offset. */
export function rawConfluentPublisher({ brokers, topic, messages }: PublishJob): Contender {
  return {
    name: "raw confluent, produce and delivery report",
    async run() {
      const name = await topic();
      const producer = new (load().Producer)({
        "bootstrap.servers": brokers.join(","),
        "enable.idempotence": true,
        acks: -1,
        "linger.ms": 5,
        "batch.num.messages": 1_000,
        partitioner: "murmur2_random",
        dr_cb: true,
      });
      await connected(producer);
      producer.setPollInBackground(true);
      await new Promise<void>((resolve) =>
        producer.getMetadata({ topic: name, timeout: 5_000 }, () => resolve()),
      );
      let outstanding = 0;
      let wake: () => void = () => undefined;
      const offsets = new Float64Array(messages.length).fill(-1);
      producer.on("delivery-report", (error: Error | null, report: RawReport) => {
        if (error !== null && error !== undefined) throw error;
        offsets[report.opaque] = report.offset;
        outstanding--;
        if (outstanding === 5_000 || outstanding === 0) wake();
      });
      const measurement = await measure(messages.length, async () => {
        for (const [index, { key, value }] of messages.entries()) {
          outstanding++;
          producer.produce(
            name,
            null,
            Buffer.from(value),
            Buffer.from(key),
            Date.now(),
            index,
            WORKLOAD_HEADERS.map(([header, bytes]) => ({ [header]: Buffer.from(bytes) })),
          );
          if (outstanding === 10_000) await new Promise<void>((resolve) => void (wake = resolve));
        }
        while (outstanding > 0) await new Promise<void>((resolve) => void (wake = resolve));
      });
      if (offsets.includes(-1)) throw new Error("run is void: a message has no offset");
      await new Promise<void>((resolve) => producer.disconnect(resolve));
      return measurement;
    },
  };
}

/** One producer without linger and one consumer, for latencies. */
export async function openRawConfluent({
  brokers,
  topic,
  arrived,
}: LatencyPlace): Promise<LatencyPath> {
  const module = load();
  const servers = { "bootstrap.servers": brokers.join(",") };
  const producer = new module.Producer({
    ...servers,
    acks: -1,
    "enable.idempotence": true,
    "linger.ms": 0,
    dr_cb: true,
  });
  const consumer = new module.KafkaConsumer({
    ...servers,
    "group.id": freshGroup(),
    "auto.offset.reset": "earliest",
    "enable.auto.commit": false,
  });
  await connected(producer);
  producer.setPollInBackground(true);
  await connected(consumer);
  consumer.setDefaultConsumeTimeout(20);
  // Else a call waits for a thousand messages as long as they keep coming.
  consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
  consumer.subscribe([topic]);
  const stop = consumeAll(consumer, ({ value }) => {
    if (value !== null) arrived(value);
  });
  return {
    publish: (value) => producer.produce(topic, null, Buffer.from(value), null, Date.now()),
    close: async () => {
      await stop();
      await new Promise<void>((resolve) => consumer.disconnect(resolve));
      await new Promise<void>((resolve) => producer.disconnect(resolve));
    },
  };
}
