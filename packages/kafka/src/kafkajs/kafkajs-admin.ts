import type { Clock, TopicDescription, TopicSpec } from "@bus/core";
import { wait } from "@bus/core/adapter";
import kafkajs from "kafkajs";
import type { ITopicConfig } from "kafkajs";
import type { DriverAdmin, PartitionEnds, PartitionOffset } from "../kafka-driver.ts";
import { brokerError } from "../map-kafka-error.ts";
import type { ClusterConnection, OffsetsAnswer } from "./cluster-connection.ts";
import { kafkajsErrorFacts, mapKafkajsError } from "./map-kafkajs-error.ts";
import { requestMetadata } from "./metadata-request.ts";
import type { TopicMetadata } from "./metadata-request.ts";

/** Codes of the Kafka protocol. */
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const TOPIC_ALREADY_EXISTS = 36;
const LATEST = -1;
const EARLIEST = -2;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

const CHANGE_TIMEOUT_MS = 10_000;
/** How long a new topic may take to be known to every broker. */
const VISIBLE_TIMEOUT_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/** What an admin needs. */
export interface KafkajsAdminParts {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly isolationLevel: "read_committed" | "read_uncommitted";
}

/** Topics and offsets, asked of the brokers themselves: a topic that is missing or forbidden never hides the others. */
export class KafkajsAdmin implements DriverAdmin {
  readonly #connection: ClusterConnection;
  readonly #clock: Clock;
  readonly #isolationLevel: number;

  constructor(parts: KafkajsAdminParts) {
    this.#connection = parts.connection;
    this.#clock = parts.clock;
    this.#isolationLevel =
      parts.isolationLevel === "read_committed" ? READ_COMMITTED : READ_UNCOMMITTED;
  }

  ping(): Promise<void> {
    return asked(
      "asking the cluster for a sign of life",
      async () => void (await this.#connection.metadata([])),
    );
  }

  /** Those of the topics that exist. Rejects with kafkajs' error. */
  async existing(topics: readonly string[]): Promise<ReadonlySet<string>> {
    const metadata = await this.#connection.metadata(topics);
    const found = metadata.filter(({ errorCode }) => errorCode !== UNKNOWN_TOPIC_OR_PARTITION);
    return new Set(found.map(({ topic }) => topic));
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const spec of specs) await asked(`creating topic ${spec.topic}`, () => this.#create(spec));
    const names = specs.map(({ topic }) => topic);
    await asked(`waiting for topics ${names.join(", ")}`, () => this.#untilVisible(names));
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    for (const topic of topics) await asked(`deleting topic ${topic}`, () => this.#delete(topic));
    if (topics.length > 0) await asked("deleting topics", () => this.#untilGone(topics));
  }

  async describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    if (topics.length === 0) return [];
    const metadata = await asked("describing topics", () => this.#connection.metadata(topics));
    const existing = metadata.filter(({ errorCode }) => errorCode !== UNKNOWN_TOPIC_OR_PARTITION);
    const refused = existing.find(
      ({ errorCode, partitions }) => errorCode !== 0 && partitions.length === 0,
    );
    if (refused !== undefined) throw topicError(refused);
    return await asked("describing topics", () => this.#describe(existing));
  }

  committedOffsets(group: string, topics: readonly string[]): Promise<readonly PartitionOffset[]> {
    return asked(`reading offsets of group ${group}`, async () => {
      const coordinator = await this.#connection.coordinator(group);
      const answer = await coordinator.offsetFetch({ groupId: group, topics: [] });
      const wanted = new Set(topics);
      return positions(answer).filter(({ topic, offset }) => wanted.has(topic) && offset >= 0n);
    });
  }

  topicOffsets(topic: string): Promise<readonly PartitionEnds[]> {
    return asked(`reading offsets of topic ${topic}`, async () => {
      const [lows, highs] = await this.#listOffsets(topic, [EARLIEST, LATEST]);
      const low = new Map(lows?.map(({ partition, offset }) => [partition, offset]));
      return (highs ?? []).map(({ partition, offset }) => ({
        topic,
        partition,
        low: low.get(partition) ?? 0n,
        high: offset,
      }));
    });
  }

  offsetsAtTime(topic: string, timestampMs: number): Promise<readonly PartitionOffset[]> {
    return asked(`reading offsets of topic ${topic}`, async () => {
      const [found, ends] = await this.#listOffsets(topic, [timestampMs, LATEST]);
      const end = new Map(ends?.map(({ partition, offset }) => [partition, offset]));
      // −1: no message is that young.
      return (found ?? []).map((one) =>
        one.offset < 0n ? { ...one, offset: end.get(one.partition) ?? 0n } : one,
      );
    });
  }

  async #create({
    topic,
    partitions = -1,
    replicationFactor = -1,
    config = {},
  }: TopicSpec): Promise<void> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    const request: ITopicConfig = {
      topic,
      numPartitions: partitions,
      replicationFactor,
      configEntries,
    };
    try {
      const controller = await this.#connection.controller();
      await controller.createTopics({ topics: [request], timeout: CHANGE_TIMEOUT_MS });
    } catch (error) {
      if (kafkajsErrorFacts(error).kafkaCode !== TOPIC_ALREADY_EXISTS) throw error;
    }
  }

  async #delete(topic: string): Promise<void> {
    try {
      const controller = await this.#connection.controller();
      await controller.deleteTopics({ topics: [topic], timeout: CHANGE_TIMEOUT_MS });
    } catch (error) {
      if (kafkajsErrorFacts(error).kafkaCode !== UNKNOWN_TOPIC_OR_PARTITION) throw error;
    }
  }

  /** A new topic is known to its brokers one after the other, and has leaders a little later. */
  async #untilVisible(topics: readonly string[]): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + VISIBLE_TIMEOUT_MS;
    for (const nodeId of this.#connection.nodeIds()) {
      while (!(await this.#sees(nodeId, topics)) && this.#clock.monotonicMs() < deadlineMs) {
        await wait(this.#clock, LOOK_AGAIN_MS);
      }
    }
  }

  /** Brokers may know of a deleted topic for a moment. */
  async #untilGone(topics: readonly string[]): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + VISIBLE_TIMEOUT_MS;
    while (this.#clock.monotonicMs() < deadlineMs) {
      const found = await this.#connection.metadata(topics);
      if (found.every(({ errorCode }) => errorCode === UNKNOWN_TOPIC_OR_PARTITION)) return;
      await wait(this.#clock, LOOK_AGAIN_MS);
    }
  }

  async #sees(nodeId: number, topics: readonly string[]): Promise<boolean> {
    try {
      const metadata = await requestMetadata(await this.#connection.broker(nodeId), topics);
      return metadata.every(
        ({ errorCode, partitions }) =>
          errorCode === 0 && partitions.every(({ leader }) => leader >= 0),
      );
    } catch {
      return true; // A broker that does not answer is not one to wait for.
    }
  }

  async #describe(topics: readonly TopicMetadata[]): Promise<readonly TopicDescription[]> {
    if (topics.length === 0) return [];
    const broker = await this.#connection.controller();
    const resources = topics.map(({ topic }) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name: topic,
    }));
    const answer = await broker.describeConfigs({ resources });
    const configs = new Map(
      answer.resources.map(({ resourceName, configEntries }) => [
        resourceName,
        Object.fromEntries(
          configEntries.map(({ configName, configValue }) => [configName, configValue]),
        ),
      ]),
    );
    return topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.length,
      replicationFactor: partitions[0]?.replicas.length ?? 0,
      config: configs.get(topic) ?? {},
    }));
  }

  /** One list of offsets per timestamp; one request per timestamp and leader. */
  async #listOffsets(
    topic: string,
    timestamps: readonly number[],
  ): Promise<readonly (readonly PartitionOffset[])[]> {
    const [metadata] = await this.#connection.metadata([topic]);
    if (metadata === undefined || metadata.errorCode !== 0)
      throw topicError(metadata ?? { topic, errorCode: UNKNOWN_TOPIC_OR_PARTITION });
    const leaders = new Map<number, number[]>();
    for (const { leader, partition } of metadata.partitions)
      leaders.set(leader, [...(leaders.get(leader) ?? []), partition]);
    return await Promise.all(
      timestamps.map(async (timestamp) => {
        const answers = await Promise.all(
          Array.from(leaders, async ([leader, partitions]) => {
            const broker = await this.#connection.broker(leader);
            const asking = partitions.map((partition) => ({ partition, timestamp }));
            return await broker.listOffsets({
              isolationLevel: this.#isolationLevel,
              topics: [{ topic, partitions: asking }],
            });
          }),
        );
        return answers.flatMap(positions);
      }),
    );
  }
}

function positions({ responses }: OffsetsAnswer): readonly PartitionOffset[] {
  return responses.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) })),
  );
}

function topicError({ topic, errorCode }: Pick<TopicMetadata, "topic" | "errorCode">): Error {
  return brokerError(errorCode, { doing: `looking up topic ${topic}`, details: { topic } });
}

async function asked<TAnswer>(doing: string, ask: () => Promise<TAnswer>): Promise<TAnswer> {
  try {
    return await ask();
  } catch (error) {
    throw mapKafkajsError(error, { doing });
  }
}
