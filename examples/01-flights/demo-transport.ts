import type { ConfiguredTransport } from "@bus/core";
import { kafka } from "@bus/kafka";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { memory } from "@bus/memory";
import { nats } from "@bus/nats";
import { startKafka, startNats } from "@bus/tools-brokers";
import type { DemoArguments } from "./demo-arguments.ts";

/** A transport to run on, and the broker behind it when there is one. */
export interface DemoTransport extends AsyncDisposable {
  readonly description: string;
  readonly transport: ConfiguredTransport;
}

/** Memory, or a real broker that ends with the demo. */
export async function startDemoTransport({
  transport,
  partitions,
}: DemoArguments): Promise<DemoTransport> {
  if (transport === "memory") {
    return {
      description: `memory, ${partitions} partitions`,
      transport: memory({ partitions }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  return transport === "kafka" ? await kafkaTransport(partitions) : await natsTransport(partitions);
}

async function kafkaTransport(partitions: number): Promise<DemoTransport> {
  const cluster = await startKafka();
  return {
    description: `Kafka ${cluster.version} at ${cluster.brokers.join(", ")}, ${partitions} partitions`,
    transport: kafka({
      brokers: cluster.brokers,
      driver: kafkajsDriver(),
      consumer: { commitIntervalMs: 200 }, // often, so that the board shows the lag as it is
      topics: { ensure: "create", partitions },
    }),
    [Symbol.asyncDispose]: () => cluster.close(),
  };
}

async function natsTransport(partitions: number): Promise<DemoTransport> {
  const cluster = await startNats();
  const { servers, version = "" } = cluster;
  return {
    description: `NATS ${version} at ${servers.join(", ")}, ${partitions} partitions`,
    transport: nats({ servers, partitions, stream: { ensure: "create" } }),
    [Symbol.asyncDispose]: () => cluster.close(),
  };
}
