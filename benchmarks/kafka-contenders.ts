import { createEventBus, defineTopic } from "@bus/core";
import type { SubscribeOptions, Topic } from "@bus/core";
import { kafka } from "@bus/kafka";
import type { KafkaOptions } from "@bus/kafka";
import kafkajs from "kafkajs";
import { HandlerTimes, HandlerWaits } from "./handler-waits.ts";
import { measure } from "./side-by-side.ts";
import type { Contender, Measurement } from "./side-by-side.ts";
import { WORKLOAD_HEADERS, WorkloadCheck } from "./workload.ts";
import type { WorkloadMessage } from "./workload.ts";

/** Bytes in, bytes out: codecs are the user's choice and not what is measured. */
export const benchTopic = (name: string): Topic<Uint8Array> =>
  defineTopic<Uint8Array>(name, { codec: { encode: (value) => value, decode: (bytes) => bytes } });

/** A pre-filled topic to consume. */
export interface ConsumeJob {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly messages: number;
}

let groups = 0;
/** A group that nobody has used. */
export const freshGroup = (): string => `bench-${process.pid}-${groups++}`;

/** kafkajs at its best that loses nothing: batches, own commits once a second of what was handled, large fetches. */
export function rawKafkajsConsumer({ brokers, topic, messages }: ConsumeJob): Contender {
  return {
    name: "raw kafkajs, eachBatch, own commit a second",
    async run() {
      const client = new kafkajs.Kafka({
        brokers: [...brokers],
        logLevel: kafkajs.logLevel.NOTHING,
      });
      const consumer = client.consumer({ groupId: freshGroup(), maxWaitTimeInMs: 100 });
      const check = new WorkloadCheck(messages);
      const handled = new Map<number, string>();
      const commit = setInterval(() => {
        const offsets = Array.from(handled, ([partition, offset]) => ({
          topic,
          partition,
          offset: String(BigInt(offset) + 1n),
        }));
        handled.clear();
        if (offsets.length > 0) void consumer.commitOffsets(offsets);
      }, 1000);
      const timer = new FirstToLast(messages);
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          timer.first();
          for (const { value } of batch.messages)
            if (value !== null && check.end(check.begin(value))) timer.last();
          handled.set(batch.partition, batch.lastOffset());
        },
      });
      const measurement = await timer.measurement;
      clearInterval(commit);
      await consumer.disconnect();
      check.assertClean();
      return measurement;
    },
  };
}

/** What a bus run differs in. */
export interface BusRun {
  readonly name: string;
  readonly driver: KafkaOptions["driver"];
  readonly consumer?: NonNullable<KafkaOptions["consumer"]>;
  readonly plugins?: Parameters<typeof createEventBus>[0]["plugins"];
  readonly subscribe?: SubscribeOptions;
  /** Milliseconds that the handler waits; none when absent. */
  readonly handlerMs?: number;
  /** Called after each run with what the handlers' waits took in truth. */
  readonly onWaited?: (times: HandlerTimes) => void;
}

/** The whole bus: commits on, a handler that does nothing or waits. */
export function busConsumer({ brokers, topic, messages }: ConsumeJob, run: BusRun): Contender {
  return {
    name: run.name,
    async run() {
      const transport = kafka({
        brokers,
        driver: run.driver,
        ...(run.consumer === undefined ? {} : { consumer: run.consumer }),
      });
      const bus = createEventBus({ group: freshGroup(), transport, plugins: run.plugins ?? [] });
      const check = new WorkloadCheck(messages);
      const timer = new FirstToLast(messages);
      const waits = run.handlerMs === undefined ? undefined : new HandlerWaits(run.handlerMs);
      const times = new HandlerTimes();
      const handle = async (value: Uint8Array): Promise<void> => {
        timer.first();
        const key = check.begin(value);
        if (waits !== undefined) times.add(key, await waits.wait());
        if (check.end(key)) timer.last();
      };
      await bus.subscribe(benchTopic(topic), ({ value }) => handle(value), run.subscribe);
      await bus.start();
      const measurement = await timer.measurement;
      await bus.close();
      check.assertClean();
      if (waits !== undefined) run.onWaited?.(times);
      return measurement;
    },
  };
}

/** Messages to publish. */
export interface PublishJob {
  readonly brokers: readonly string[];
  readonly topic: () => Promise<string>;
  readonly messages: readonly WorkloadMessage[];
}

/** kafkajs in ordered batches of 1,000 with acknowledgement of all replicas: one send after the other, one leader each. */
export function rawKafkajsPublisher({ brokers, topic, messages }: PublishJob): Contender {
  return {
    name: "raw kafkajs, ordered batches of 1,000",
    async run() {
      const name = await topic();
      const client = new kafkajs.Kafka({
        brokers: [...brokers],
        logLevel: kafkajs.logLevel.NOTHING,
      });
      const producer = client.producer({
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        idempotent: true,
        maxInFlightRequests: 1,
      });
      await producer.connect();
      const headers = Object.fromEntries(
        WORKLOAD_HEADERS.map(([header, value]) => [header, Buffer.from(value)]),
      );
      const measurement = await measure(messages.length, async () => {
        for (let from = 0; from < messages.length; from += 1000) {
          const batch = messages.slice(from, from + 1000).map(({ key, value }) => ({
            key: Buffer.from(key),
            value: Buffer.from(value),
            headers,
          }));
          await producer.send({ topic: name, messages: batch, acks: -1 });
        }
      });
      await producer.disconnect();
      return measurement;
    },
  };
}

/** The bus: one call a message, at most 10,000 unacknowledged. */
export function busPublisher(
  { brokers, topic, messages }: PublishJob,
  { name, driver }: Pick<BusRun, "name" | "driver">,
): Contender {
  return {
    name,
    async run() {
      const target = benchTopic(await topic());
      const bus = createEventBus({ transport: kafka({ brokers, driver }) });
      await bus.start();
      const measurement = await measure(messages.length, async () => {
        let outstanding = 0;
        let wake: () => void = () => undefined;
        const published = (): void => {
          outstanding--;
          if (outstanding === 5_000 || outstanding === 0) wake();
        };
        for (const { key, value } of messages) {
          outstanding++;
          void bus.publish(target, value, { key, headers: WORKLOAD_HEADERS }).then(published);
          if (outstanding === 10_000) await new Promise<void>((resolve) => void (wake = resolve));
        }
        while (outstanding > 0) await new Promise<void>((resolve) => void (wake = resolve));
      });
      await bus.close();
      return measurement;
    },
  };
}

/** Measures from the first message to the last. */
export class FirstToLast {
  readonly measurement: Promise<Measurement>;
  readonly #messages: number;
  #resolve: (measurement: Measurement) => void = () => undefined;
  #startedMs = 0;
  #cpu: NodeJS.CpuUsage | undefined;

  constructor(messages: number) {
    this.#messages = messages;
    this.measurement = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  first(): void {
    if (this.#cpu !== undefined) return;
    this.#cpu = process.cpuUsage();
    this.#startedMs = performance.now();
  }

  last(): void {
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#resolve({
      messages: this.#messages,
      elapsedMs: performance.now() - this.#startedMs,
      cpuMs: (user + system) / 1000,
    });
  }
}
