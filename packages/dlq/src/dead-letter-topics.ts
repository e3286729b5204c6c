import { BusConfigError, BusError, BusTransportError } from "@bus/core";
import type { Failure, PluginHost, TopicAdmin, TopicDescription, TopicSpec } from "@bus/core";
import type { ResolvedDlqOptions } from "./dlq-options.ts";

/** What the topics of dead letters are made from. */
export type TopicsHost = Pick<PluginHost, "transport" | "logger">;

/**
 * The topic that a dead letter goes to.
 *
 * @throws BusConfigError `BUS_CONFIG` when that is the topic it comes from: it would come round for ever.
 */
export function destinationOf(
  failure: Failure,
  errorClass: string,
  { destination }: Pick<ResolvedDlqOptions, "destination">,
): string {
  const source = failure.delivery.topic;
  const topic =
    typeof destination === "function"
      ? destination(failure, errorClass)
      : `${source}${destination.suffix}`;
  if (topic !== source) return topic;
  throw new BusConfigError(
    "BUS_CONFIG",
    `destination must be another topic than the one that failed, got ${topic}`,
    { details: { path: "dlq.destination", value: topic } },
  );
}

/**
 * Knows the topics of dead letters: how many partitions they have, and how to create the missing ones. Asks once per
 * topic, however many messages fail at the same time, and again after `forget`.
 */
export class DeadLetterTopics {
  readonly #host: TopicsHost;
  readonly #options: Pick<ResolvedDlqOptions, "createTopics" | "topicConfig">;
  readonly #counts = new Map<string, Promise<number | undefined>>();

  constructor(host: TopicsHost, options: Pick<ResolvedDlqOptions, "createTopics" | "topicConfig">) {
    this.#host = host;
    this.#options = options;
  }

  /**
   * How many partitions a topic has; creates it like its source when it is missing and that is wanted.
   *
   * @returns `undefined` where the transport cannot tell, or the topic is missing and not to be created.
   * @throws BusTransportError `BUS_DEAD_LETTER` when a missing topic could not be created.
   */
  partitionsOf(topic: string, source: string): Promise<number | undefined> {
    const known = this.#counts.get(topic);
    if (known !== undefined) return known;
    const asked = this.#ask(topic, source);
    this.#counts.set(topic, asked);
    asked.then(
      (count) => count === undefined && this.forget(topic),
      () => this.forget(topic),
    );
    return asked;
  }

  /** Ask the broker again next time: something about the topic was not as expected. */
  forget(topic: string): void {
    this.#counts.delete(topic);
  }

  async #ask(topic: string, source: string): Promise<number | undefined> {
    const { topics } = this.#host.transport.capabilities;
    if (topics === undefined) return undefined;
    const described = await topics.describe([topic, source]);
    const existing = described.find((one) => one.topic === topic);
    if (existing !== undefined) return existing.partitions;
    const like = described.find((one) => one.topic === source);
    if (this.#options.createTopics === "never" || like === undefined) return undefined;
    return this.#create(topics, topic, like);
  }

  async #create(topics: TopicAdmin, topic: string, like: TopicDescription): Promise<number> {
    const { partitions, replicationFactor } = like;
    const spec: TopicSpec = {
      topic,
      partitions,
      replicationFactor,
      config: this.#options.topicConfig,
    };
    try {
      await createTopic(topics, spec);
    } catch (cause) {
      const message = `dead-letter topic ${topic} does not exist and could not be created: create it with ${partitions} partitions`;
      const details = { topic, partitions, replicationFactor };
      throw new BusTransportError("BUS_DEAD_LETTER", message, { details, cause });
    }
    this.#host.logger.info("created a dead-letter topic", { topic, partitions, replicationFactor });
    return partitions;
  }
}

/** Create a topic, without the settings where the transport knows none. */
export async function createTopic(topics: TopicAdmin, spec: TopicSpec): Promise<void> {
  try {
    await topics.create([spec]);
  } catch (error) {
    if (!BusError.is(error, "BUS_UNSUPPORTED")) throw error;
    const { config: _unknownHere, ...plain } = spec;
    await topics.create([plain]);
  }
}
