import { BusTransportError } from "@bus/core";
import type { TopicDescription, TopicDrift, TopicSpec } from "@bus/core";
import { partitionOf } from "@bus/core/adapter";
import { PartitionLog } from "./partition-log.ts";

/** How topics are made that nobody described. */
export interface TopicDefaults {
  readonly partitions: number;
  /** Messages that a partition keeps; all when absent. */
  readonly retentionMessages?: number | undefined;
}

/** A topic on the broker. */
export class MemoryTopic {
  readonly name: string;
  readonly logs: readonly PartitionLog[];
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
  readonly retentionMessages: number | undefined;
  #nextUnkeyed = 0;

  constructor(spec: TopicSpec, defaults: TopicDefaults) {
    const partitions = spec.partitions ?? defaults.partitions;
    if (!Number.isSafeInteger(partitions) || partitions < 1) {
      throw new BusTransportError(
        "BUS_BROKER_REJECTED",
        `partitions of ${spec.topic} must be a positive integer, got ${partitions}`,
        {
          details: { topic: spec.topic, partitions },
        },
      );
    }
    this.name = spec.topic;
    this.logs = Array.from(
      { length: partitions },
      (_, partition) => new PartitionLog(spec.topic, partition),
    );
    this.replicationFactor = spec.replicationFactor ?? 1;
    this.config = { ...spec.config };
    this.retentionMessages = defaults.retentionMessages;
  }

  /** The log of a key, as Kafka's Java client would choose it; messages without a key go round. */
  logFor(key: Uint8Array | null): PartitionLog | undefined {
    if (key !== null) return this.logs[partitionOf(key, this.logs.length)];
    this.#nextUnkeyed = (this.#nextUnkeyed + 1) % this.logs.length;
    return this.logs[this.#nextUnkeyed];
  }
}

/** The topics of one broker. */
export class TopicStore {
  readonly #topics = new Map<string, MemoryTopic>();

  get names(): readonly string[] {
    return [...this.#topics.keys()];
  }

  find(topic: string): MemoryTopic | undefined {
    return this.#topics.get(topic);
  }

  /** @throws BusTransportError `BUS_TOPIC_MISSING` */
  require(topic: string): MemoryTopic {
    const found = this.#topics.get(topic);
    if (found !== undefined) return found;
    throw new BusTransportError("BUS_TOPIC_MISSING", `topic ${topic} does not exist`, {
      details: { topic },
    });
  }

  /** Create a topic, or say how the existing one differs from what was asked for. */
  create(spec: TopicSpec, defaults: TopicDefaults): readonly TopicDrift[] {
    const existing = this.#topics.get(spec.topic);
    if (existing !== undefined) return driftOf(spec, existing);
    this.#topics.set(spec.topic, new MemoryTopic(spec, defaults));
    return [];
  }

  describe(topics: readonly string[]): readonly TopicDescription[] {
    return topics
      .flatMap((topic) => this.#topics.get(topic) ?? [])
      .map(({ name, logs, replicationFactor, config }) => ({
        topic: name,
        partitions: logs.length,
        replicationFactor,
        config,
      }));
  }

  /** Remove a topic; returns its logs, none when there was no such topic. */
  delete(topic: string): readonly PartitionLog[] {
    const logs = this.#topics.get(topic)?.logs ?? [];
    this.#topics.delete(topic);
    return logs;
  }
}

function driftOf(spec: TopicSpec, topic: MemoryTopic): readonly TopicDrift[] {
  const asked: readonly (readonly [
    property: string,
    expected: string | undefined,
    actual: string,
  ])[] = [
    ["partitions", spec.partitions?.toString(), topic.logs.length.toString()],
    ["replicationFactor", spec.replicationFactor?.toString(), topic.replicationFactor.toString()],
    ...Object.entries(spec.config ?? {}).map(
      ([name, value]) => [`config.${name}`, value, topic.config[name] ?? ""] as const,
    ),
  ];
  return asked.flatMap(([property, expected, actual]) =>
    expected === undefined || expected === actual
      ? []
      : [{ topic: spec.topic, property, expected, actual }],
  );
}
