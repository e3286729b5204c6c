import { BusTransportError } from "@bus/core";
import type { Cluster } from "kafkajs";
import type { DriverOffsets, DriverTopic } from "../kafka-driver.ts";

/** Sees to it that a group without a committed offset consumes nothing of a topic that says `none`. */
export class StartPositions {
  readonly #group: string;
  readonly #offsets: DriverOffsets;
  #strict = new Set<string>();

  constructor(group: string, offsets: DriverOffsets) {
    this.#group = group;
    this.#offsets = offsets;
  }

  /** @throws BusTransportError `BUS_NO_OFFSET` when a partition of such a topic has no committed offset. */
  async check(topics: readonly DriverTopic[]): Promise<void> {
    const strict = topics.filter(({ startFrom }) => startFrom === "none").map(({ topic }) => topic);
    this.#strict = new Set(strict);
    if (strict.length === 0) return;
    const committed = await this.#offsets.committedOffsets(this.#group, strict);
    const known = new Set(committed.map(({ topic, partition }) => `${topic}/${partition}`));
    for (const topic of strict) {
      const missing = (await this.#offsets.topicOffsets(topic)).find(
        ({ partition }) => !known.has(`${topic}/${partition}`),
      );
      if (missing !== undefined) throw this.#refusal(topic, missing.partition);
    }
  }

  /** Take over the connections of a new consumer: kafkajs asks there for the start position of what has none. */
  attach(cluster: Cluster): void {
    const fetchOffsets = cluster.fetchTopicsOffset.bind(cluster);
    cluster.fetchTopicsOffset = async (topics) => {
      for (const { topic, partitions } of topics) {
        const [first] = partitions;
        if (first !== undefined && this.#strict.has(topic))
          throw this.#refusal(topic, first.partition);
      }
      return await fetchOffsets(topics);
    };
  }

  #refusal(topic: string, partition: number): BusTransportError {
    const message = `group ${this.#group} has no committed offset in ${topic}[${partition}], and the start position is none`;
    return new BusTransportError("BUS_NO_OFFSET", message, {
      details: { group: this.#group, topic, partition },
    });
  }
}
