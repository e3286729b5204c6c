import { createEventBus } from "@bus/core";
import { kafka } from "@bus/kafka";
import type { KafkaOptions } from "@bus/kafka";
import kafkajs from "kafkajs";
import { openRawConfluent } from "./kafka-confluent-contenders.ts";
import { benchTopic, freshGroup } from "./kafka-contenders.ts";

/** A way from one publish to one handler. */
export interface LatencyContender {
  readonly name: string;
  open(place: LatencyPlace): Promise<LatencyPath>;
}

/** Where messages go, and who hears of their arrival. */
export interface LatencyPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly arrived: (value: Uint8Array) => void;
}

/** An open path. */
export interface LatencyPath {
  publish(value: Uint8Array): void;
  close(): Promise<void>;
}

/** Messages a second; light, so that what is measured is the way and not a queue. */
const PER_SECOND = 500;
const TICK_MS = 2;
const WARM_UP = 500;
/** Number of a message that only tells that the way is open. */
const PROBE = 0xffff_ffff;

/** kafkajs: one `send` of the partition at a time, which is what loses nothing; `eachBatch`; commits are not part of the way. */
export const rawKafkajsLatency: LatencyContender = {
  name: "raw kafkajs, one send at a time and eachBatch",
  open: async ({ brokers, topic, arrived }) => {
    const client = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
    const producer = client.producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    const consumer = client.consumer({ groupId: freshGroup(), maxWaitTimeInMs: 250 });
    await producer.connect();
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const { value } of batch.messages) if (value !== null) arrived(value);
      },
    });
    let waiting: { value: Buffer }[] = [];
    let isSending = false;
    const send = async (): Promise<void> => {
      if (isSending) return;
      isSending = true;
      while (waiting.length > 0) {
        const messages = waiting;
        waiting = [];
        await producer.send({ topic, messages });
      }
      isSending = false;
    };
    return {
      publish: (value) => {
        waiting.push({ value: Buffer.from(value) });
        void send();
      },
      close: async () => {
        await consumer.disconnect();
        await producer.disconnect();
      },
    };
  },
};

/** Confluent's callback API: `produce` without linger, `consume` again as soon as it calls back. */
export const rawConfluentLatency: LatencyContender = {
  name: "raw confluent, produce and consume(1000)",
  open: openRawConfluent,
};

/** The whole bus, without linger. */
export function busLatency(name: string, driver: KafkaOptions["driver"]): LatencyContender {
  return {
    name,
    open: async ({ brokers, topic, arrived }) => {
      const transport = kafka({ brokers, driver, producer: { flushFrequencyMs: 0 } });
      const bus = createEventBus({ group: freshGroup(), transport });
      const target = benchTopic(topic);
      await bus.subscribe(target, ({ value }) => arrived(value));
      await bus.start();
      return {
        publish: (value) => void bus.publish(target, value),
        close: async () => void (await bus.close()),
      };
    },
  };
}

/** Percentiles of the time from a publish to its handler, in milliseconds. */
export interface LatencyResult {
  readonly name: string;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Publish at an even, light rate with a sleeping pacer and time each message from the call to the handler. */
export async function measureLatency(
  contender: LatencyContender,
  place: Omit<LatencyPlace, "arrived">,
  messages: number,
): Promise<LatencyResult> {
  const sentAtMs = new Float64Array(messages + WARM_UP);
  const tookMs: number[] = [];
  let open = messages + WARM_UP;
  let isOpen = false;
  let done: () => void = () => undefined;
  const all = new Promise<void>((resolve) => void (done = resolve));
  const arrived = (value: Uint8Array): void => {
    const index = new DataView(value.buffer, value.byteOffset).getUint32(0);
    if (index === PROBE) {
      isOpen = true;
      return;
    }
    if (index >= WARM_UP) tookMs.push(performance.now() - (sentAtMs[index] ?? 0));
    open--;
    if (open === 0) done();
  };
  const path = await contender.open({ ...place, arrived });
  path.publish(numbered(PROBE));
  while (!isOpen) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  const startedMs = performance.now();
  for (let index = 0; index < messages + WARM_UP;) {
    const due = Math.min(
      ((performance.now() - startedMs) * PER_SECOND) / 1_000,
      messages + WARM_UP,
    );
    for (; index < due; index++) {
      const value = numbered(index);
      sentAtMs[index] = performance.now();
      path.publish(value);
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await all;
  await path.close();
  const sorted = tookMs.toSorted((left, right) => left - right);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { name: contender.name, p50: at(0.5), p99: at(0.99), max: at(1) };
}

function numbered(index: number): Uint8Array {
  const value = new Uint8Array(256);
  new DataView(value.buffer).setUint32(0, index);
  return value;
}

/** Print percentiles, with the ratio of p99 to the first one's. */
export function printLatencies(results: readonly LatencyResult[]): void {
  const base = results[0]?.p99 ?? 1;
  console.log(`\nend to end at ${PER_SECOND} messages a second, no linger, milliseconds`);
  for (const { name, p50, p99, max } of results) {
    const figures = [p50, p99, max].map((value) => value.toFixed(2)).join(" / ");
    console.log(
      `${name.padEnd(48)} p50 / p99 / max ${figures}, p99 ratio ${(p99 / base).toFixed(2)}`,
    );
  }
}
