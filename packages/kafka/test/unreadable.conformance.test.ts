import { createEventBus } from "@bus/core";
import type { ComponentHealth, EventBus } from "@bus/core";
import { until } from "@bus/testkit";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { confluentDriver } from "../src/confluent/index.ts";
import { kafka } from "../src/index.ts";
import type { ConsumerOptions, KafkaOptions } from "../src/index.ts";
import { kafkajsDriver } from "../src/kafkajs/index.ts";
import { damageBatch } from "./segment-file.ts";

const DRIVERS = { kafkajs: kafkajsDriver, confluent: confluentDriver } as const;
/** What a batch holds in these tests. */
const BATCH = 5;
const WAIT = { timeoutMs: 30_000 };

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka();
});

afterAll(() => cluster.close());

/** Three batches in partition 0, one in partition 1; compressed, so that damage is always noticed. */
async function filledTopic(driver: KafkaOptions["driver"]): Promise<string> {
  const topic = `unreadable-${randomUUID()}`;
  const configured = kafka({
    brokers: cluster.brokers,
    driver,
    producer: { compression: "gzip" },
    topics: { ensure: "create", partitions: 2 },
  });
  await using bus = createEventBus({ transport: configured });
  await bus.start();
  for (const [batch, partition] of [0, 0, 0, 1].entries()) {
    const values = Array.from({ length: BATCH }, (_, index) => `${batch}/${index}`.repeat(20));
    await Promise.all(values.map((value) => bus.publish(topic, Buffer.from(value), { partition })));
  }
  return topic;
}

interface Reader extends AsyncDisposable {
  readonly bus: EventBus;
  readonly offsets: { readonly 0: number[]; readonly 1: number[] };
  readonly warnings: readonly string[];
  health(): Promise<ComponentHealth | undefined>;
}

async function read(
  driver: KafkaOptions["driver"],
  topic: string,
  consumer: ConsumerOptions = {},
): Promise<Reader> {
  const group = `group-${randomUUID()}`;
  const transport = kafka({ brokers: cluster.brokers, driver, consumer });
  const bus = createEventBus({ group, transport });
  const offsets = { 0: [] as number[], 1: [] as number[] };
  const warnings: string[] = [];
  bus.observe({
    transport: (event) => void (event.kind === "warning" && warnings.push(event.message)),
  });
  await bus.subscribe(topic, (message) => {
    offsets[message.partition === 0 ? 0 : 1].push(Number(message.offset));
  });
  await bus.start();
  return {
    bus,
    offsets,
    warnings,
    health: async () => (await bus.health()).components[`kafka.group.${group}`],
    [Symbol.asyncDispose]: async () => void (await bus.close()),
  };
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

describe.each(["kafkajs", "confluent"] as const)(
  "a record batch that cannot be read, %s",
  (name) => {
    const driver = DRIVERS[name]();

    test("holds up its partition alone, shows in health, and is read on by itself once it can be", async () => {
      const topic = await filledTopic(driver);
      const damaged = await damageBatch(cluster, { topic, partition: 0 }, BATCH);
      await using reader = await read(driver, topic);
      await until(() => reader.offsets[1].length === BATCH, {
        ...WAIT,
        what: "the other partition",
      });
      await until(async () => (await reader.health())?.status === "degraded", {
        ...WAIT,
        what: "health to tell",
      });
      expect((await reader.health())?.detail).toContain(`${topic}[0] stands still: `);
      expect(reader.warnings).toHaveLength(1);
      expect(reader.offsets[0]).toEqual(range(0, BATCH));
      await damaged.mend();
      await until(() => reader.offsets[0].length >= 3 * BATCH, { ...WAIT, what: "the rest" });
      expect(reader.offsets[0]).toEqual(range(0, 3 * BATCH));
      expect((await reader.health())?.status).toBe("healthy");
    });

    test("is passed over where that was asked for, with a warning, and nothing else is", async () => {
      const topic = await filledTopic(driver);
      await damageBatch(cluster, { topic, partition: 0 }, BATCH);
      const skipUnreadable = [{ topic, partition: 0, from: BATCH, to: 2 * BATCH }];
      await using reader = await read(driver, topic, { skipUnreadable });
      await until(() => reader.offsets[0].length >= 2 * BATCH, { ...WAIT, what: "the rest" });
      expect(reader.offsets).toEqual({
        0: [...range(0, BATCH), ...range(2 * BATCH, 3 * BATCH)],
        1: range(0, BATCH),
      });
      expect(reader.warnings.at(-1)).toContain(
        `offsets ${BATCH} to ${2 * BATCH - 1} of ${topic}[0] cannot be read and are passed over`,
      );
      await until(async () => (await reader.health())?.status === "healthy", {
        ...WAIT,
        what: "health to be well",
      });
    });
  },
);
