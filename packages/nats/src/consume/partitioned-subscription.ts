import { BusClosedError, BusError, BusTransportError } from "@bus/core";
import type {
  CloseOptions,
  CloseReport,
  PartitionState,
  StartFrom,
  TopicPartition,
  TopicSubscription,
  TransportSubscription,
} from "@bus/core";
import type { LeaseListener } from "../leases/lease-contract.ts";
import type { StreamAdmin } from "../topology/stream-admin.ts";
import type { TopicDirectory } from "../topology/topic-directory.ts";
import { noOffset, PartitionMember } from "./partition-member.ts";
import type { PartitionLeasing, PartitionMemberParts } from "./partition-member.ts";

/** How long a change of topics waits for others to join it. */
const GATHER_CHANGES_MS = 100;

/** What a subscription with partitions needs. */
export interface PartitionedSubscriptionParts extends Omit<PartitionMemberParts, "initialStart"> {
  readonly topics: readonly TopicSubscription[];
  readonly directory: TopicDirectory;
  readonly stream: StreamAdmin;
  createLeasing(listener: LeaseListener): PartitionLeasing;
  onClosed(subscription: PartitionedSubscription): void;
}

type TopicsByName = ReadonlyMap<string, TopicSubscription>;

/** A membership in a group whose topics have partitions. */
export class PartitionedSubscription implements TransportSubscription {
  readonly group: string;
  readonly #parts: PartitionedSubscriptionParts;
  readonly #member: PartitionMember;
  readonly #leasing: PartitionLeasing;
  /** Where topics begin that were to be read from their end on, fixed when they were subscribed. */
  readonly #starts = new Map<string, number>();
  #topics: TopicsByName;
  #wanted: TopicsByName;
  #gathering: Promise<void> | undefined;
  #changing: Promise<void> = Promise.resolve();
  #closing: Promise<CloseReport> | undefined;

  constructor(parts: PartitionedSubscriptionParts) {
    this.group = parts.group;
    this.#parts = parts;
    this.#topics = byName(parts.topics);
    this.#wanted = this.#topics;
    this.#member = new PartitionMember({
      ...parts,
      initialStart: (topic) => this.#initialStart(topic),
    });
    this.#leasing = parts.createLeasing(this.#member);
  }

  /** What health should know; empty when all is well. */
  get trouble(): string {
    return this.#member.trouble;
  }

  /** Join the group. Errors: those of `Subscriber.subscribe`; then the subscription is closed. */
  async join(): Promise<void> {
    try {
      await this.#prepare([...this.#topics.values()]);
      this.#applyTopics(this.#topics);
      await this.#leasing.start();
    } catch (error) {
      await this.close({ drainTimeoutMs: 0 });
      throw BusError.is(error)
        ? error
        : new BusTransportError("BUS_TRANSPORT", String(error), { cause: error });
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
    return this.#member.describe();
  }

  /** Where the group begins in a topic without a position; `undefined` for another topic. */
  startsFrom(topic: string): StartFrom | undefined {
    const subscription = this.#topics.get(topic);
    return subscription && (subscription.startFrom ?? this.#parts.options.startFrom);
  }

  close(options: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close({ drainTimeoutMs }: CloseOptions): Promise<CloseReport> {
    const before = this.#member.abandoned;
    this.#member.setDrainBudget(drainTimeoutMs);
    await this.#leasing.close();
    this.#member.close();
    this.#parts.onClosed(this);
    return { abandonedDeliveries: this.#member.abandoned - before };
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

  async #change(): Promise<void> {
    this.#requireOpen();
    const before = this.#topics;
    const wanted = this.#wanted;
    await this.#prepare([...wanted.values()].filter(({ topic }) => !before.has(topic)));
    const removed = new Set([...before.keys()].filter((topic) => !wanted.has(topic)));
    const held = new Set(
      [...wanted.values()]
        .filter(({ topic, held: isHeld }) => isHeld === true && before.has(topic))
        .map(({ topic }) => topic),
    );
    await this.#member.settleTopics(held);
    this.#requireOpen();
    this.#applyTopics(wanted);
    await this.#member.left(removed);
  }

  #applyTopics(topics: TopicsByName): void {
    const isSame =
      topics.size === this.#topics.size &&
      [...topics.keys()].every((topic) => this.#topics.has(topic));
    if (!isSame) this.#parts.host.emit({ kind: "rebalancing", group: this.group });
    this.#topics = topics;
    this.#member.setTopics(topics);
    this.#leasing.setTopics(
      Array.from(topics.keys(), (topic) => ({
        topic,
        partitions: this.#parts.directory.partitionsOf(topic) ?? 1,
      })),
    );
    if (!isSame) this.#parts.host.emit({ kind: "assigned", group: this.group, partitions: [] });
  }

  /** Have topics ready, and know where they begin. @throws BusTransportError `BUS_NO_OFFSET` and those of `ensure`. */
  async #prepare(topics: readonly TopicSubscription[]): Promise<void> {
    const { directory, options, stream } = this.#parts;
    await directory.ensure(topics.map(({ topic }) => topic));
    for (const { topic, startFrom = options.startFrom } of topics) {
      if (startFrom === "latest") {
        const { state } = await stream.get();
        this.#starts.set(topic, state.last_seq + 1);
      } else if (startFrom === "none") {
        await this.#requirePositions(topic);
      }
    }
  }

  async #requirePositions(topic: string): Promise<void> {
    const { consumers, directory, group } = this.#parts;
    const count = directory.partitionsOf(topic) ?? 1;
    for (let partition = 0; partition < count; partition += 1)
      if ((await consumers.newest({ group, topic, partition })) === undefined)
        throw noOffset(group, topic, partition);
  }

  #initialStart(topic: string): Promise<number> {
    return Promise.resolve(this.#starts.get(topic) ?? 1);
  }

  #requireOpen(): void {
    if (this.#closing !== undefined)
      throw new BusClosedError(`the subscription of group ${this.group} is closed`);
  }
}

function byName(topics: readonly TopicSubscription[]): TopicsByName {
  return new Map(topics.map((topic) => [topic.topic, topic]));
}
