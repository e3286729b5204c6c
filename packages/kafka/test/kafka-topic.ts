import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs from "kafkajs";
import type { Kafka } from "kafkajs";
import { createCluster } from "../src/kafkajs/kafkajs-internals.ts";
import type { KafkajsCluster } from "../src/kafkajs/kafkajs-internals.ts";
import { sendProduce } from "../src/kafkajs/produce-request.ts";
import type { ProducedBatch } from "../src/kafkajs/produce-request.ts";

/** A client for one test broker, quiet unless something is wrong. */
export function client(brokers: string[], retries = 50): Kafka {
  return new kafkajs.Kafka({
    clientId: "record-batches",
    brokers,
    logLevel: kafkajs.logLevel.NOTHING,
    // Transactions of kafkajs wait this long for the broker to end the one before.
    retry: { initialRetryTime: 10, retries },
  });
}

/** A new topic with a name of its own. */
export async function createTopic(
  kafka: Kafka,
  options: {
    readonly partitions?: number;
    readonly config?: Readonly<Record<string, string>>;
  } = {},
): Promise<string> {
  const topic = `t-${randomUUID()}`;
  const admin = kafka.admin();
  await admin.connect();
  try {
    const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({
      name,
      value,
    }));
    await admin.createTopics({
      topics: [
        { topic, numPartitions: options.partitions ?? 1, replicationFactor: 1, configEntries },
      ],
      waitForLeaders: true,
    });
    return topic;
  } finally {
    await admin.disconnect();
  }
}

/** A connected cluster, as the producer of the bus has one. */
export async function connectedCluster(kafka: Kafka): Promise<KafkajsCluster & AsyncDisposable> {
  const cluster = createCluster(kafka, { metadataMaxAge: 300_000, allowAutoTopicCreation: false });
  await cluster.connect();
  return Object.assign(cluster, { [Symbol.asyncDispose]: () => cluster.disconnect() });
}

/** Send one batch to the leader of its partition. */
export async function produce(
  cluster: KafkajsCluster,
  to: { readonly topic: string; readonly partition?: number; readonly acks?: -1 | 0 | 1 },
  batch: Buffer,
): Promise<ProducedBatch | undefined> {
  const { topic, partition = 0, acks = -1 } = to;
  await cluster.addMultipleTargetTopics([topic]);
  const found = cluster
    .findTopicPartitionMetadata(topic)
    .find(({ partitionId }) => partitionId === partition);
  const broker = await cluster.findBroker({ nodeId: found?.leader ?? -1 });
  const results = await sendProduce(broker, {
    acks,
    timeoutMs: 10_000,
    partitions: [{ topic, partition, batch }],
  });
  return results[0];
}

/** Ask again and again until it is true. @throws Error after 30 s, naming what was awaited. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`${what} did not come about in 30 s`);
    await sleep(20);
  }
}
