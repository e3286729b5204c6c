import type { Clock, TopicPartition, TopicSpec, TopicDrift } from "@bus/core";
import { BusTransportError } from "@bus/core";
import { AdoptedClock } from "./adopted-clock.ts";
import type { BrokerClient } from "./broker-faults.ts";
import { createFaults } from "./broker-faults.ts";
import type { MemoryFaults } from "./broker-faults.ts";
import type { ResolvedBrokerOptions } from "./broker-options.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { DeliveryLoop } from "./delivery-loop.ts";
import type { PartitionLog } from "./partition-log.ts";
import { PublishFaults } from "./publish-faults.ts";
import { seededRandom } from "./seeded-random.ts";
import { TopicStore } from "./topic-store.ts";
import type { TopicDefaults } from "./topic-store.ts";

/** What a group has committed in one partition. */
export interface CommittedOffset extends TopicPartition {
  /** Next offset to consume. */
  readonly offset: bigint;
}

/** A partition as the broker has it. */
export interface PartitionDescription extends TopicPartition {
  /** First offset that still exists. */
  readonly low: bigint;
  /** Offset that the next message gets. */
  readonly high: bigint;
  /** Messages between them; fewer than offsets when there are gaps. */
  readonly messages: number;
}

/** A group as the broker has it. */
export interface GroupDescription {
  readonly group: string;
  /** Members in order of joining, with the partitions they own. */
  readonly members: readonly {
    readonly member: string;
    readonly partitions: readonly TopicPartition[];
  }[];
}

/** Everything on a broker, for assertions. */
export interface BrokerDescription {
  readonly clients: readonly string[];
  readonly partitions: readonly PartitionDescription[];
  readonly groups: readonly GroupDescription[];
}

/** A broker that lives in this process and may be shared by many buses. Made by `memoryBroker()`. */
export interface MemoryBroker {
  readonly kind: "memoryBroker";
  /** Ways to make things go wrong. */
  readonly faults: MemoryFaults;
  describe(): BrokerDescription;
  /** What a group has committed, in order of topic and partition; nothing for an unknown group. */
  committed(group: string): readonly CommittedOffset[];
}

/** The broker as transports of this package use it. */
export class InProcessBroker implements MemoryBroker {
  readonly kind = "memoryBroker";
  readonly options: ResolvedBrokerOptions;
  readonly clock: Clock;
  readonly loop: DeliveryLoop;
  readonly topics: TopicStore = new TopicStore();
  readonly publishFaults: PublishFaults = new PublishFaults();
  readonly faults: MemoryFaults;
  readonly #adopted = new AdoptedClock();
  readonly #clients = new Set<BrokerClient>();
  readonly #groups = new Map<string, ConsumerGroup>();
  #clientIds = 0;
  #memberIds = 0;

  constructor(options: ResolvedBrokerOptions) {
    this.options = options;
    this.clock = options.clock ?? this.#adopted;
    this.loop = new DeliveryLoop(this.clock, seededRandom(options.seed));
    this.faults = createFaults(this);
  }

  get clients(): readonly BrokerClient[] {
    return [...this.#clients];
  }

  nextClientId(): string {
    this.#clientIds += 1;
    return `memory-${this.#clientIds}`;
  }

  nextMemberId(clientId: string): string {
    this.#memberIds += 1;
    return `${clientId}-${this.#memberIds}`;
  }

  attach(client: BrokerClient, clock: Clock): void {
    this.#adopted.adopt(clock);
    this.#clients.add(client);
  }

  /** A client is closed. When nobody is left, nobody can notice an expired session: those that run are ended at once. */
  detach(client: BrokerClient): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    for (const group of this.#groups.values())
      for (const member of group.members) group.expel(member);
  }

  group(name: string): ConsumerGroup {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new ConsumerGroup(name, this.clock, (topic) => this.topics.find(topic)?.logs ?? []);
      this.#groups.set(name, group);
    }
    return group;
  }

  /** A group that exists. */
  findGroup(name: string): ConsumerGroup | undefined {
    return this.#groups.get(name);
  }

  createTopic(spec: TopicSpec, defaults: TopicDefaults): readonly TopicDrift[] {
    const existed = this.topics.find(spec.topic) !== undefined;
    const drift = this.topics.create(spec, defaults);
    // Groups may have been waiting for the topic since it was deleted.
    if (!existed) for (const group of this.#groups.values()) group.reconcile();
    return drift;
  }

  deleteTopic(topic: string): void {
    const logs = this.topics.delete(topic);
    for (const group of this.#groups.values()) group.forget(logs);
  }

  /** @throws BusTransportError `BUS_TOPIC_MISSING` when there is no such topic or partition. */
  log({ topic, partition }: TopicPartition): PartitionLog {
    const log = this.topics.require(topic).logs[partition];
    if (log !== undefined) return log;
    throw new BusTransportError(
      "BUS_TOPIC_MISSING",
      `topic ${topic} has no partition ${partition}`,
      { details: { topic, partition } },
    );
  }

  describe(): BrokerDescription {
    return {
      clients: this.clients.map(({ clientId }) => clientId),
      partitions: this.#logs().map(({ topic, partition, low, next, messages }) => {
        return { topic, partition, low: BigInt(low), high: BigInt(next), messages };
      }),
      groups: Array.from(this.#groups.values(), (group) => ({
        group: group.name,
        members: group.members.map((member) => ({
          member: member.id,
          partitions: group
            .ownedBy(member)
            .map(({ log: { topic, partition } }) => ({ topic, partition })),
        })),
      })),
    };
  }

  committed(group: string): readonly CommittedOffset[] {
    const known = this.#groups.get(group);
    return this.#logs().flatMap((log) => {
      const offset = known?.committed(log);
      return offset === undefined
        ? []
        : [{ topic: log.topic, partition: log.partition, offset: BigInt(offset) }];
    });
  }

  #logs(): readonly PartitionLog[] {
    return this.topics.names.toSorted().flatMap((topic) => this.topics.find(topic)?.logs ?? []);
  }
}
