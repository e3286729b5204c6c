import { BusTransportError } from "@bus/core";
import type { TopicAdmin, TopicDescription, TopicDrift, TopicSpec } from "@bus/core";
import type { DriverTopics, KafkaDriver } from "./kafka-driver.ts";
import type { ResolvedTopicsOptions } from "./driver-options.ts";

/** Creates and inspects topics: the capability, and what `topics.ensure` asks for. */
export class KafkaTopics implements TopicAdmin {
  readonly #owner: { readonly admin: DriverTopics };
  readonly #options: ResolvedTopicsOptions;
  readonly #onDrift: (drift: TopicDrift) => void;

  constructor(
    driver: Pick<KafkaDriver, "admin">,
    options: ResolvedTopicsOptions,
    onDrift: (drift: TopicDrift) => void,
  ) {
    this.#owner = driver;
    this.#options = options;
    this.#onDrift = onDrift;
  }

  async create(specs: readonly TopicSpec[]): Promise<readonly TopicDrift[]> {
    const existing = await this.#owner.admin.describeTopics(specs.map(({ topic }) => topic));
    const missing = specs.filter(({ topic }) => !existing.some((one) => one.topic === topic));
    if (missing.length > 0) await this.#owner.admin.createTopics(missing);
    return specs.flatMap((spec) => drifts(spec, existing));
  }

  describe(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    return this.#owner.admin.describeTopics(topics);
  }

  delete(topics: readonly string[]): Promise<void> {
    return this.#owner.admin.deleteTopics(topics);
  }

  /**
   * Do what `topics.ensure` says before topics are used.
   *
   * @throws BusTransportError `BUS_TOPIC_MISSING` naming the first topic that does not exist.
   */
  async ensure(topics: readonly string[]): Promise<void> {
    if (this.#options.ensure === "skip" || topics.length === 0) return;
    const specs = topics.map((topic) => this.#spec(topic));
    if (this.#options.ensure === "create") {
      for (const drift of await this.create(specs)) this.#onDrift(drift);
      return;
    }
    const existing = await this.#owner.admin.describeTopics(topics);
    const missing = topics.find((topic) => !existing.some((one) => one.topic === topic));
    if (missing !== undefined) {
      const message = `topic ${missing} does not exist; create it, or set topics.ensure to create`;
      throw new BusTransportError("BUS_TOPIC_MISSING", message, { details: { topic: missing } });
    }
    for (const drift of specs.flatMap((spec) => drifts(spec, existing))) this.#onDrift(drift);
  }

  #spec(topic: string): TopicSpec {
    const { partitions, replicationFactor, config } = {
      ...this.#options,
      ...this.#options.perTopic[topic],
    };
    return {
      topic,
      ...(partitions === undefined ? {} : { partitions }),
      ...(replicationFactor === undefined ? {} : { replicationFactor }),
      ...(config === undefined ? {} : { config }),
    };
  }
}

/** Where a topic is not as it should be; what was not asked for cannot differ. */
function drifts(spec: TopicSpec, existing: readonly TopicDescription[]): readonly TopicDrift[] {
  const { topic } = spec;
  const actual = existing.find((one) => one.topic === topic);
  if (actual === undefined) return [];
  const wanted: readonly (readonly [
    property: string,
    expected: string | number | undefined,
    actual: string | number | undefined,
  ])[] = [
    ["partitions", spec.partitions, actual.partitions],
    ["replicationFactor", spec.replicationFactor, actual.replicationFactor],
    ...Object.entries(spec.config ?? {}).map(
      ([name, value]) => [`config.${name}`, value, actual.config[name]] as const,
    ),
  ];
  return wanted
    .filter(([, expected, found]) => expected !== undefined && String(expected) !== String(found))
    .map(([property, expected, found]) => ({
      topic,
      property,
      expected: String(expected),
      actual: String(found),
    }));
}
