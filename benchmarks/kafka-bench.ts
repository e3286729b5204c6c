import { createEventBus } from "@bus/core";
import { kafka } from "@bus/kafka";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { startKafka } from "@bus/tools-brokers";
import {
  benchTopic,
  busConsumer,
  busPublisher,
  rawKafkajsConsumer,
  rawKafkajsPublisher,
} from "./kafka-contenders.ts";
import { printTable, runSideBySide } from "./side-by-side.ts";
import { Workload, WORKLOAD_HEADERS } from "./workload.ts";

/** Raw clients and the bus over one real broker, alternating in one run. Options: messages, rounds. */
const MESSAGES = Number(process.argv[3] ?? 500_000);
const PUBLISHED = Math.min(MESSAGES, 200_000);
const ROUNDS = Number(process.argv[4] ?? 5);
const PARTITIONS = 16;

await using cluster = await startKafka();
const { brokers } = cluster;
const admin = kafka({
  brokers,
  driver: kafkajsDriver(),
  topics: { ensure: "create", partitions: PARTITIONS },
});
const workload = new Workload("zipf", MESSAGES);

await using filler = createEventBus({ transport: admin });
await filler.start();
await fill("zipf");
let topics = 0;
const freshTopic = async (): Promise<string> => {
  const name = `publish-${topics++}`;
  await filler.publish(benchTopic(name), new Uint8Array(1));
  return name;
};

const consume = { brokers, topic: "zipf", messages: MESSAGES };
const consumed = await runSideBySide(
  [
    rawKafkajsConsumer(consume),
    busConsumer(consume, {
      name: "@bus/kafka, kafkajs driver, no-op handler",
      driver: kafkajsDriver(),
    }),
  ],
  ROUNDS,
);
printTable(
  `consume ${MESSAGES} messages of 256 B, 3 headers, Zipf keys, ${PARTITIONS} partitions, ${ROUNDS} alternating runs, median [min–max]`,
  consumed,
);

const publish = { brokers, topic: freshTopic, messages: workload.slice(0, PUBLISHED) };
const published = await runSideBySide(
  [
    rawKafkajsPublisher(publish),
    busPublisher(publish, {
      name: "@bus/kafka, kafkajs driver, one call a message",
      driver: kafkajsDriver(),
    }),
  ],
  ROUNDS,
);
printTable(
  `publish ${PUBLISHED} messages of 256 B, 3 headers, acks all, idempotent, key order kept`,
  published,
);

async function fill(name: string): Promise<void> {
  const topic = benchTopic(name);
  for (let from = 0; from < workload.length; from += 5_000) {
    await Promise.all(
      workload
        .slice(from, from + 5_000)
        .map(({ key, value }) => filler.publish(topic, value, { key, headers: WORKLOAD_HEADERS })),
    );
  }
}
