import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ConfiguredTransport, LagReader, Transport, TopicAdmin } from "@bus/core";
import { testHost, until } from "@bus/testkit";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { kafkaOver } from "./kafka-drivers.ts";

const CHILD = fileURLToPath(new URL("kafka-child.ts", import.meta.url));

/** A real Kafka, and what a test of dead letters asks of it. */
export class DlqLab implements AsyncDisposable {
  readonly cluster: KafkaCluster;
  readonly #tool: Transport;
  readonly #children = new Set<ChildProcess>();

  private constructor(cluster: KafkaCluster, tool: Transport) {
    this.cluster = cluster;
    this.#tool = tool;
  }

  static async start(): Promise<DlqLab> {
    const cluster = await startKafka();
    const tool = kafkaOver("kafkajs", cluster.brokers).create(testHost());
    await tool.connect();
    return new DlqLab(cluster, tool);
  }

  transport(driver: string, options: Parameters<typeof kafkaOver>[2] = {}): ConfiguredTransport {
    return kafkaOver(driver, this.cluster.brokers, options);
  }

  get topics(): TopicAdmin {
    return required(this.#tool.capabilities.topics);
  }

  get lag(): LagReader {
    return required(this.#tool.capabilities.lag);
  }

  async createTopic(topic: string, partitions = 4, config = {}): Promise<void> {
    await this.topics.create([{ topic, partitions, replicationFactor: 1, config }]);
  }

  /** Offsets used in a topic; without transactions as many as messages. 0 for a topic that is not there. */
  async stored(topic: string): Promise<number> {
    if ((await this.topics.describe([topic])).length === 0) return 0;
    const { partitions } = await this.lag.read({ group: "lab", topics: [topic] });
    return partitions.reduce((sum, { low, high }) => sum + Number(high - low), 0);
  }

  untilStored(topic: string, count: number, timeoutMs = 60_000): Promise<void> {
    let seen = 0;
    return until(async () => (seen = await this.stored(topic)) >= count, {
      timeoutMs,
      intervalMs: 50,
      what: `${count} messages in ${topic}`,
      state: () => seen,
    });
  }

  /** Messages of a topic that a group has not acknowledged; `Infinity` before it has acknowledged anything there. */
  async lagOf(group: string, topic: string): Promise<number> {
    const { partitions } = await this.lag.read({ group, topics: [topic] });
    return partitions.reduce((sum, { lagMessages }) => sum + Number(lagMessages), 0);
  }

  /** A process of its own, to be killed. */
  spawn(role: "consume" | "replay", driver: string, topic: string): ChildProcess {
    const child = spawn(
      process.execPath,
      ["--conditions=@bus/source", CHILD, role, driver, this.cluster.brokers.join(), topic],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  async kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.kill(child)));
    await this.#tool.close({ drainTimeoutMs: 0 });
    await this.cluster.close();
  }
}

function required<TCapability>(capability: TCapability | undefined): TCapability {
  if (capability === undefined) throw new TypeError("kafka has lost a capability");
  return capability;
}
