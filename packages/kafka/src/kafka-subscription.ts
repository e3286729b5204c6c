import { BusError, BusTransportError } from "@bus/core";
import type {
  CloseOptions,
  CloseReport,
  Delivery,
  PartitionState,
  TopicPartition,
  TopicSubscription,
  TransportSubscription,
} from "@bus/core";
import type { DriverTopic, RecordDecoder } from "./kafka-driver.ts";
import { GroupMember } from "./group-member.ts";
import type { ConsumedPosition } from "./kafka-transactions.ts";
import type { GroupMemberParts, MembershipState, UnreadablePartition } from "./group-member.ts";

/** How long a change of topics waits for others to join it. */
const GATHER_CHANGES_MS = 100;

/** What a subscription needs beside its member. */
export interface KafkaSubscriptionParts extends GroupMemberParts {
  readonly topics: readonly TopicSubscription[];
  /** Make sure that topics can be subscribed. */
  ensureTopics(topics: readonly string[]): Promise<void>;
  /** The subscription has left its group, because it was asked to. */
  onClosed(subscription: KafkaSubscription): void;
}

type TopicsByName = ReadonlyMap<string, TopicSubscription>;

/** A running membership as core sees it: its topics change one after another, its end is awaited once. */
export class KafkaSubscription implements TransportSubscription {
  readonly group: string;
  readonly #parts: KafkaSubscriptionParts;
  readonly #member: GroupMember;
  #topics: TopicsByName;
  #wanted: TopicsByName;
  #gathering: Promise<void> | undefined;
  #changing: Promise<void> = Promise.resolve();
  #closing: Promise<CloseReport> | undefined;

  constructor(parts: KafkaSubscriptionParts) {
    this.group = parts.group;
    this.#parts = parts;
    this.#topics = byName(parts.topics);
    this.#wanted = this.#topics;
    this.#member = new GroupMember(parts);
    this.#member.setTopics(this.#topics);
  }

  get state(): MembershipState {
    return this.#member.state;
  }

  /** Partitions that cannot be read on from where they stand. */
  get stuck(): readonly UnreadablePartition[] {
    return this.#member.stuck;
  }

  /** Who decodes the records of this group. */
  get decoder(): RecordDecoder {
    return this.#member.consumer.decoder;
  }

  /** Join the group. Errors: those of `Subscriber.subscribe`; then the subscription is closed. */
  async join(): Promise<void> {
    try {
      await this.#parts.ensureTopics([...this.#topics.keys()]);
      await this.#member.consumer.subscribe(this.#driverTopics());
    } catch (error) {
      await this.close({ drainTimeoutMs: 0 });
      throw error;
    }
  }

  update(topics: readonly TopicSubscription[]): Promise<void> {
    this.#wanted = byName(topics);
    this.#gathering ??= this.#gather();
    return this.#gathering;
  }

  pause(partition: TopicPartition): void {
    this.#member.pause(partition);
  }

  resume(partition: TopicPartition): void {
    this.#member.resume(partition);
  }

  partitions(): readonly PartitionState[] {
    return this.#member.partitions.describe();
  }

  /** Where the group begins in a topic without a committed offset. */
  startsFrom(topic: string): DriverTopic["startFrom"] {
    return this.#topics.get(topic)?.startFrom ?? this.#parts.options.autoOffsetReset;
  }

  /** The position behind a delivery of this membership; see `GroupMember.positionAfter`. */
  positionAfter(delivery: Delivery): ConsumedPosition | undefined {
    return this.#member.positionAfter(delivery);
  }

  close(options: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#member.close(options.drainTimeoutMs).then((abandonedDeliveries) => {
      this.#parts.onClosed(this);
      return { abandonedDeliveries };
    });
    return this.#closing;
  }

  async #gather(): Promise<void> {
    await new Promise<void>(
      (resolve) => void this.#parts.host.clock.schedule(resolve, GATHER_CHANGES_MS),
    );
    this.#gathering = undefined;
    const change = this.#changing.then(() => this.#change());
    this.#changing = change.catch(() => undefined);
    await change;
  }

  /** From the topics there are to those that are wanted: what stops is settled first, then one membership change. */
  async #change(): Promise<void> {
    if (this.#closing !== undefined) return;
    const before = this.#topics;
    const wanted = this.#wanted;
    const added = [...wanted.keys()].filter((topic) => !before.has(topic));
    await this.#parts.ensureTopics(added);
    const stopping = [...this.#member.partitions].filter(
      ({ topic }) => wanted.get(topic)?.held ?? !wanted.has(topic),
    );
    await this.#member.settle(stopping, this.#parts.options.drainTimeoutMs);
    this.#topics = wanted;
    this.#member.setTopics(wanted);
    const isSame = added.length === 0 && before.size === wanted.size;
    if (isSame) return;
    try {
      await this.#member.consumer.subscribe(this.#driverTopics());
    } catch (error) {
      await this.#goBack(before);
      throw error;
    }
  }

  /** A change that failed must not stop the topics there were; when even they cannot be had, the subscription ends. */
  async #goBack(before: TopicsByName): Promise<void> {
    if (this.#closing !== undefined) return;
    this.#topics = before;
    this.#member.setTopics(before);
    try {
      await this.#member.consumer.subscribe(this.#driverTopics());
    } catch (error) {
      this.#member.ended(asBusError(error));
    }
  }

  #driverTopics(): readonly DriverTopic[] {
    return Array.from(this.#topics.keys(), (topic) => ({
      topic,
      startFrom: this.startsFrom(topic),
    }));
  }
}

function asBusError(error: unknown): BusError {
  if (BusError.is(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BusTransportError("BUS_TRANSPORT", message, { cause: error });
}

function byName(topics: readonly TopicSubscription[]): TopicsByName {
  return new Map(topics.map((topic) => [topic.topic, topic]));
}
