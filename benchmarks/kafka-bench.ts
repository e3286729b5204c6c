import { createEventBus } from "@bus/core";
import { kafka } from "@bus/kafka";
import { confluentDriver } from "@bus/kafka/confluent";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { startKafka } from "@bus/tools-brokers";
import kafkajs from "kafkajs";
import {
  benchTopic,
  busConsumer,
  busPublisher,
  rawKafkajsConsumer,
  rawKafkajsPublisher,
} from "./kafka-contenders.ts";
import { rawConfluentConsumer, rawConfluentPublisher } from "./kafka-confluent-contenders.ts";
import {
  busLatency,
  measureLatency,
  printLatencies,
  rawConfluentLatency,
  rawKafkajsLatency,
} from "./kafka-latency.ts";
import type { LatencyResult } from "./kafka-latency.ts";
import { printTable, runSideBySide } from "./side-by-side.ts";
import { Workload, WORKLOAD_HEADERS } from "./workload.ts";

/** Raw clients and the bus over one real broker, alternating in one run. Options: messages, rounds, kafkajs | confluent | both. */
const MESSAGES = Number(process.argv[3] ?? 500_000);
const PUBLISHED = Math.min(MESSAGES, 200_000);
const ROUNDS = Number(process.argv[4] ?? 5);
const CLIENT = clientOf(process.argv[5] ?? "both");
const PARTITIONS = 16;
const LATENCIES = 3_000;

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

const CLIENTS = {
  kafkajs: {
    driver: kafkajsDriver,
    consumer: rawKafkajsConsumer,
    publisher: rawKafkajsPublisher,
    latency: rawKafkajsLatency,
  },
  confluent: {
    driver: confluentDriver,
    consumer: rawConfluentConsumer,
    publisher: rawConfluentPublisher,
    latency: rawConfluentLatency,
  },
} as const;

const consume = { brokers, topic: "zipf", messages: MESSAGES };
const publish = { brokers, topic: freshTopic, messages: workload.slice(0, PUBLISHED) };
for (const name of CLIENT === "both" ? (["kafkajs", "confluent"] as const) : [CLIENT]) {
  const client = CLIENTS[name];
  const driver = client.driver();
  const ours = `@bus/kafka, ${name} driver`;
  printTable(
    `consume ${MESSAGES} messages of 256 B, 3 headers, Zipf keys, ${PARTITIONS} partitions, ${ROUNDS} alternating runs, median [min–max]`,
    await runSideBySide(
      [client.consumer(consume), busConsumer(consume, { name: `${ours}, no-op handler`, driver })],
      ROUNDS,
    ),
  );
  printTable(
    `publish ${PUBLISHED} messages of 256 B, 3 headers, acks all, idempotent, key order kept`,
    await runSideBySide(
      [
        client.publisher(publish),
        busPublisher(publish, { name: `${ours}, one call a message`, driver }),
      ],
      ROUNDS,
    ),
  );
  const latencies: LatencyResult[] = [];
  for (const contender of [client.latency, busLatency(ours, driver)])
    latencies.push(
      await measureLatency(contender, { brokers, topic: await emptyTopic() }, LATENCIES),
    );
  printLatencies(latencies);
}

function clientOf(name: string): "kafkajs" | "confluent" | "both" {
  if (name === "kafkajs" || name === "confluent" || name === "both") return name;
  throw new RangeError(`the client must be kafkajs, confluent or both, got ${name}`);
}

async function emptyTopic(): Promise<string> {
  const name = `latency-${topics++}`;
  const client = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await client.connect();
  await client.createTopics({ topics: [{ topic: name, numPartitions: 1 }], waitForLeaders: true });
  await client.disconnect();
  return name;
}

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
