import { createEventBus } from "@bus/core";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kafka } from "../src/index.ts";
import { kafkajsDriver } from "../src/kafkajs/index.ts";

const MIB = 1_048_576;
const PARTITIONS = 4;
const MESSAGES = 400;
const MESSAGE_BYTES = MIB - 1_024;
const MAX_IN_FLIGHT_BYTES = 16 * MIB;
/**
 * What a process may grow by: the bytes in flight, what is fetched ahead of them (kafkajs: a response and its pieces,
 * librdkafka: 16 MiB), and what the garbage collector has not come to. All messages together have 400 MiB.
 */
const MAX_GROWTH_BYTES = 160 * MIB;
const TOPIC = "large-messages";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka({
    brokerConfig: { "message.max.bytes": String(4 * MIB) },
  });
  await using bus = createEventBus({
    transport: kafka({
      brokers: cluster.brokers,
      driver: kafkajsDriver(),
      topics: { ensure: "create", partitions: PARTITIONS },
      producer: { bufferBytes: 32 * MIB },
    }),
  });
  await bus.start();
  const value = Buffer.alloc(MESSAGE_BYTES, "x");
  const publish = (index: number): Promise<unknown> =>
    bus.publish(TOPIC, value, { partition: index % PARTITIONS });
  await Promise.all(Array.from({ length: MESSAGES }, (_, index) => publish(index)));
});

afterAll(() => cluster.close());

interface Peak {
  readonly handled: number;
  readonly baseRssBytes: number;
  readonly peakRssBytes: number;
  readonly peakInFlightBytes: number;
}

async function consume(driver: "kafkajs" | "confluent"): Promise<Peak> {
  const job = {
    broker: cluster.brokers[0],
    driver,
    topic: TOPIC,
    messages: MESSAGES,
    maxInFlightBytes: MAX_IN_FLIGHT_BYTES,
    handlerMs: 25,
  };
  const script = new URL("memory-consumer.ts", import.meta.url).pathname;
  const run = promisify(execFile);
  const flags = ["--conditions=@bus/source", "--disable-warning=ExperimentalWarning"];
  const { stdout } = await run(process.execPath, [...flags, script, JSON.stringify(job)]);
  return JSON.parse(stdout) as Peak;
}

test.each(["kafkajs", "confluent"] as const)(
  "400 messages of 1 MiB and slow handlers take a bounded part of memory with %s",
  async (driver) => {
    const { handled, baseRssBytes, peakRssBytes, peakInFlightBytes } = await consume(driver);
    const mib = (bytes: number): number => Math.round(bytes / MIB);
    process.stdout.write(
      `  ${driver}: ${handled} messages of 1 MiB, at most ${mib(peakInFlightBytes)} MiB in flight, resident ${mib(baseRssBytes)} MiB before and ${mib(peakRssBytes)} MiB at the peak\n`,
    );
    expect(handled).toBe(MESSAGES);
    expect(peakInFlightBytes).toBeLessThanOrEqual(MAX_IN_FLIGHT_BYTES);
    expect(peakRssBytes - baseRssBytes).toBeLessThan(MAX_GROWTH_BYTES);
  },
);
