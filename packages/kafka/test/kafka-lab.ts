import type { ConfiguredTransport, TopicPartition } from "@bus/core";
import { testHost } from "@bus/testkit";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster, StartKafkaOptions } from "@bus/tools-brokers";
import kafkajs from "kafkajs";
import type { Admin, Broker, Kafka } from "kafkajs";
import { kafka } from "../src/index.ts";
import { confluentDriver } from "../src/confluent/index.ts";
import type { KafkaDriverName, KafkaOptions } from "../src/index.ts";
import { kafkajsDriver } from "../src/kafkajs/index.ts";
import { severableNetwork } from "./severable-network.ts";
import type { SeverableNetwork } from "./severable-network.ts";

/** Options of a process beside brokers and client. */
export interface ProcessOptions extends Omit<KafkaOptions, "brokers" | "driver" | "client"> {
  /** @defaultValue "kafkajs" */
  readonly driver?: KafkaDriverName;
}

/** Rebalances and take-overs within seconds. */
const FAST_GROUPS = {
  sessionTimeoutMs: 6_000,
  heartbeatIntervalMs: 500,
  rebalanceTimeoutMs: 10_000,
  drainTimeoutMs: 1_500,
};

/** A real Kafka with what tests need beside the transport: processes whose network can be cut, and the client below. */
export class KafkaLab implements AsyncDisposable {
  readonly cluster: KafkaCluster;
  readonly #client: Kafka;
  readonly #admin: Admin;
  readonly #networks = new Map<
    ConfiguredTransport,
    SeverableNetwork & { readonly clientId: string }
  >();
  #processes = 0;

  private constructor(cluster: KafkaCluster) {
    this.cluster = cluster;
    this.#client = new kafkajs.Kafka({
      brokers: cluster.brokers,
      clientId: "lab",
      logLevel: kafkajs.logLevel.NOTHING,
    });
    this.#admin = this.#client.admin();
  }

  static async start(options: StartKafkaOptions = {}): Promise<KafkaLab> {
    const lab = new KafkaLab(await startKafka(options));
    await lab.#admin.connect();
    return lab;
  }

  /** The transport of one simulated process. One with Confluent's client cannot be severed. */
  process(options: ProcessOptions = {}): ConfiguredTransport {
    this.#processes += 1;
    const clientId = `process-${this.#processes}`;
    const { driver = "kafkajs", ...rest } = options;
    const own = {
      ...rest,
      brokers: this.cluster.brokers,
      clientId,
      consumer: { ...FAST_GROUPS, ...options.consumer },
    };
    // Sockets of Confluent's client cannot be had: see `ConfluentLab` for networks of its processes.
    if (driver === "confluent") return kafka({ ...own, driver: confluentDriver() });
    const network = severableNetwork();
    const client = { common: { socketFactory: network.socketFactory } };
    const configured = kafka({ ...own, driver: kafkajsDriver(), client });
    this.#networks.set(configured, { ...network, clientId });
    return configured;
  }

  /** A new topic that can be used. */
  async createTopic(topic: string, partitions: number): Promise<void> {
    const transport = this.process().create(testHost());
    await transport.connect();
    await transport.capabilities.topics?.create([{ topic, partitions }]);
    await transport.close({ drainTimeoutMs: 0 });
  }

  /** Cut a process off; returns how to join it again. */
  sever(process: ConfiguredTransport): () => void {
    const network = this.#networks.get(process);
    network?.sever();
    return () => network?.restore();
  }

  /** Have the group throw a process out. */
  async expel(process: ConfiguredTransport, group: string): Promise<void> {
    const clientId = this.#networks.get(process)?.clientId;
    const { groups } = await this.#admin.describeGroups([group]);
    const member = groups[0]?.members.find((one) => one.clientId === clientId);
    if (member === undefined) throw new TypeError(`${clientId} is no member of ${group}`);
    await leaveGroup(this.#client, group, member.memberId);
  }

  /** Use up offsets that no consumer receives: an aborted transaction and its marker. */
  async makeGap({ topic, partition }: TopicPartition): Promise<void> {
    const producer = this.#client.producer({
      transactionalId: `gap-${topic}-${partition}`,
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({
      topic,
      messages: [
        { value: "aborted", partition },
        { value: "aborted too", partition },
      ],
    });
    await transaction.abort();
    await producer.disconnect();
  }

  async removeBefore({ topic, partition }: TopicPartition, offset: bigint): Promise<void> {
    // kafkajs deletes only where it knows the leader by then.
    await this.#admin.fetchTopicOffsets(topic);
    await this.#admin.deleteTopicRecords({
      topic,
      partitions: [{ partition, offset: String(offset) }],
    });
  }

  get admin(): Admin {
    return this.#admin;
  }

  get client(): Kafka {
    return this.#client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.disconnect();
    await this.cluster.close();
  }
}

interface LeavingBroker {
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
}

/** What an operator's tool does to remove a member; kafkajs has it, but not in its admin. */
async function leaveGroup(client: Kafka, groupId: string, memberId: string): Promise<void> {
  let leaving: Promise<unknown> | undefined;
  const consumer = client.consumer({
    groupId: "lab",
    partitionAssigners: [
      ({ cluster }) => {
        leaving = (async () => {
          await cluster.connect();
          await cluster.refreshMetadata();
          // The types of kafkajs leave the request out.
          const coordinator = (await cluster.findGroupCoordinator({
            groupId,
          })) as Broker & LeavingBroker;
          await coordinator.leaveGroup({ groupId, memberId });
          await cluster.disconnect();
        })();
        return {
          name: "none",
          version: 0,
          assign: () => Promise.resolve([]),
          protocol: () => ({ name: "none", metadata: Buffer.alloc(0) }),
        };
      },
    ],
  });
  await leaving;
  await consumer.disconnect();
}
