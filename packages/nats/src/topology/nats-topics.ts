import type { TopicAdmin, TopicDescription, TopicDrift, TopicSpec } from "@bus/core";
import type { StreamAdmin } from "./stream-admin.ts";
import type { TopicDirectory } from "./topic-directory.ts";

/** Topics as subjects of the stream. */
export class NatsTopics implements TopicAdmin {
  readonly #directory: TopicDirectory;
  readonly #stream: StreamAdmin;
  readonly #partitions: number | undefined;

  /** @param partitions - Of topics whose specification names none; `undefined` when topics have none. */
  constructor(directory: TopicDirectory, stream: StreamAdmin, partitions: number | undefined) {
    this.#directory = directory;
    this.#stream = stream;
    this.#partitions = partitions;
  }

  async create(specs: readonly TopicSpec[]): Promise<readonly TopicDrift[]> {
    const isPartitioned = this.#partitions !== undefined;
    const wanted = specs.map(
      ({ topic, partitions = this.#partitions }) =>
        [topic, isPartitioned ? partitions : undefined] as const,
    );
    const drift = [...(await this.#directory.create(new Map(wanted)))];
    if (isPartitioned) return drift;
    // Without partitions every topic is as one with a single partition.
    for (const { topic, partitions = 1 } of specs)
      if (partitions !== 1)
        drift.push({ topic, property: "partitions", expected: String(partitions), actual: "1" });
    return drift;
  }

  async describe(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    const known = await this.#directory.describe(topics);
    if (known.size === 0) return [];
    const { config } = await this.#stream.get();
    return Array.from(known, ([topic, partitions = 1]) => ({
      topic,
      partitions,
      replicationFactor: config.num_replicas,
      config: { stream: config.name, storage: config.storage, discard: config.discard },
    }));
  }

  delete(topics: readonly string[]): Promise<void> {
    return this.#directory.delete(topics);
  }
}
