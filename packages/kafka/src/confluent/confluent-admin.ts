import type { Clock, TopicDescription, TopicSpec } from "@bus/core";
import { wait } from "@bus/core/adapter";
import type { DriverAdmin, PartitionEnds, PartitionOffset } from "../kafka-driver.ts";
import type { AdminConnection } from "./admin-connection.ts";
import type { NativeListedOffset, NativeTopic } from "./confluent-client-types.ts";
import { BROKER, mapConfluentError, nativeCode } from "./map-confluent-error.ts";

/** Timestamps that `listOffsets` takes for the ends of a partition. */
const LATEST = -1;
const EARLIEST = -2;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

const ANSWER_TIMEOUT_MS = 5_000;
const CHANGE_TIMEOUT_MS = 15_000;
const PING_TIMEOUT_MS = 3_000;
const VISIBLE_TIMEOUT_MS = 10_000;
const LOOK_AGAIN_MS = 50;

/** What an admin needs. */
export interface ConfluentAdminParts {
  readonly connection: AdminConnection;
  readonly clock: Clock;
  readonly isolationLevel: "read_committed" | "read_uncommitted";
  /** Reads positions of a group at the partitions given; those without one are absent. */
  readPositions(
    group: string,
    partitions: readonly Partition[],
  ): Promise<readonly PartitionOffset[]>;
}

/** A partition of a topic. */
export interface Partition {
  readonly topic: string;
  readonly partition: number;
}

/** Topics and offsets, asked of the brokers. The client cannot read the settings of a topic, so descriptions have none. */
export class ConfluentAdmin implements DriverAdmin {
  readonly #parts: ConfluentAdminParts;

  constructor(parts: ConfluentAdminParts) {
    this.#parts = parts;
  }

  ping(): Promise<void> {
    return this.#parts.connection.ping(PING_TIMEOUT_MS);
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const spec of specs) await this.#create(spec);
    // A new topic is known a little later, and has leaders later still.
    const topics = specs.map(({ topic }) => topic);
    await this.#until(topics, isUsable);
  }

  async describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    const found = await this.#describe(topics);
    const existing = found.filter((topic) => !isMissing(topic));
    for (const topic of existing) throwIfRefused(topic);
    return existing.map(({ name, partitions }) => ({
      topic: name,
      partitions: partitions.length,
      replicationFactor: partitions[0]?.replicas.length ?? 0,
      config: {},
    }));
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      await tolerating(BROKER.unknownTopicOrPartition, () =>
        this.#parts.connection.ask<void>(`deleting topic ${topic}`, (client, callback) =>
          client.deleteTopic(topic, CHANGE_TIMEOUT_MS, callback),
        ),
      );
    }
    // Brokers may still know of it for a moment.
    await this.#until(topics, isMissing);
  }

  /** Those of these topics that do not exist. */
  async missingTopics(topics: readonly string[]): Promise<readonly string[]> {
    return (await this.#describe(topics)).filter(isMissing).map(({ name }) => name);
  }

  /** @throws BusTransportError `BUS_TOPIC_MISSING`, `BUS_AUTHORIZATION` and others that keep a topic from being used. */
  async explainTopic(topic: string): Promise<void> {
    const [found] = await this.#describe([topic]);
    if (found !== undefined) throwIfRefused(found);
  }

  async committedOffsets(
    group: string,
    topics: readonly string[],
  ): Promise<readonly PartitionOffset[]> {
    const partitions = await this.#partitionsOf(topics);
    return partitions.length === 0 ? [] : await this.#parts.readPositions(group, partitions);
  }

  async topicOffsets(topic: string): Promise<readonly PartitionEnds[]> {
    const partitions = await this.#partitionsOf([topic], throwIfRefused);
    const lows = await this.#listOffsets(partitions, EARLIEST);
    const highs = await this.#listOffsets(partitions, LATEST);
    const low = new Map(lows.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return highs.map(({ partition, offset }) => ({
      topic,
      partition,
      low: low.get(partition) ?? 0n,
      high: BigInt(offset),
    }));
  }

  async offsetsAtTime(topic: string, timestampMs: number): Promise<readonly PartitionOffset[]> {
    const partitions = await this.#partitionsOf([topic], throwIfRefused);
    const found = await this.#listOffsets(partitions, timestampMs);
    const isTooYoung = found.some(({ offset }) => offset < 0);
    const ends = isTooYoung ? await this.#listOffsets(partitions, LATEST) : [];
    const end = new Map(ends.map(({ partition, offset }) => [partition, offset]));
    return found.map(({ partition, offset }) => ({
      topic,
      partition,
      offset: BigInt(offset < 0 ? (end.get(partition) ?? 0) : offset),
    }));
  }

  async #create({
    topic,
    partitions = -1,
    replicationFactor = -1,
    config,
  }: TopicSpec): Promise<void> {
    const spec = { topic, num_partitions: partitions, replication_factor: replicationFactor };
    const whole = config === undefined ? spec : { ...spec, config };
    await tolerating(BROKER.topicAlreadyExists, () =>
      this.#parts.connection.ask<void>(`creating topic ${topic}`, (client, callback) =>
        client.createTopic(whole, CHANGE_TIMEOUT_MS, callback),
      ),
    );
  }

  /** Wait until a change of topics is seen, but not for ever. */
  async #until(topics: readonly string[], isSo: (topic: NativeTopic) => boolean): Promise<void> {
    const { clock } = this.#parts;
    const deadlineAtMs = clock.monotonicMs() + VISIBLE_TIMEOUT_MS;
    while (clock.monotonicMs() < deadlineAtMs) {
      const found = await this.#describe(topics);
      if (found.every((topic) => isSo(topic))) return;
      await wait(clock, LOOK_AGAIN_MS);
    }
  }

  async #describe(topics: readonly string[]): Promise<readonly NativeTopic[]> {
    if (topics.length === 0) return [];
    const doing = `describing ${topics.join(", ")}`;
    return await this.#parts.connection.ask<readonly NativeTopic[]>(doing, (client, callback) =>
      client.describeTopics(topics, { timeout: ANSWER_TIMEOUT_MS }, callback),
    );
  }

  async #partitionsOf(
    topics: readonly string[],
    check: (topic: NativeTopic) => void = () => undefined,
  ): Promise<readonly Partition[]> {
    const found = await this.#describe(topics);
    for (const topic of found) check(topic);
    return found.flatMap(({ name, partitions }) =>
      partitions.map(({ partition }) => ({ topic: name, partition })),
    );
  }

  async #listOffsets(
    partitions: readonly Partition[],
    timestamp: number,
  ): Promise<readonly NativeListedOffset[]> {
    const isCommitted = this.#parts.isolationLevel === "read_committed";
    const isolationLevel = isCommitted ? READ_COMMITTED : READ_UNCOMMITTED;
    const queries = partitions.map((partition) => ({ ...partition, offset: { timestamp } }));
    const doing = `reading offsets of topic ${partitions[0]?.topic ?? ""}`;
    const { clock, connection } = this.#parts;
    const deadlineAtMs = clock.monotonicMs() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const answers = await connection.ask<readonly NativeListedOffset[]>(
        doing,
        (client, callback) =>
          client.listOffsets(queries, { timeout: ANSWER_TIMEOUT_MS, isolationLevel }, callback),
      );
      const failed = answers.find(({ error }) => error !== undefined);
      if (failed === undefined) return answers;
      const { topic, partition, error } = failed;
      if (!isMoving(error) || clock.monotonicMs() >= deadlineAtMs)
        throw mapConfluentError(error, { doing, details: { topic, partition } });
      await wait(clock, LOOK_AGAIN_MS);
    }
  }
}

/** The leader of a partition is new, or not known to every broker yet; the client hands this answer on and does not ask again. */
function isMoving(error: NativeListedOffset["error"]): boolean {
  return error?.code === BROKER.leaderNotAvailable || error?.code === BROKER.notLeader;
}

function isMissing({ error }: NativeTopic): boolean {
  return error?.code === BROKER.unknownTopicOrPartition;
}

function isUsable({ error, partitions }: NativeTopic): boolean {
  if (error !== undefined || partitions.length === 0) return false;
  return partitions.every(({ leader }) => leader !== undefined);
}

function throwIfRefused({ name, error }: NativeTopic): void {
  if (error === undefined) return;
  throw mapConfluentError(error, { doing: `looking up topic ${name}`, details: { topic: name } });
}

/** Ask for a change, and take it as made when the broker says that nothing is left to do. */
async function tolerating(code: number, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (!(error instanceof Error) || nativeCode(error.cause) !== code) throw error;
  }
}
