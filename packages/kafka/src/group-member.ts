import type {
  BusError,
  Deliver,
  Delivery,
  TopicPartition,
  TopicSubscription,
  TransportHost,
} from "@bus/core";
import type {
  ConsumerSink,
  DriverConsumer,
  FetchedRecords,
  PartitionOffset,
} from "./kafka-driver.ts";
import type { ResolvedConsumerOptions } from "./driver-options.ts";
import type { ConsumedPosition } from "./kafka-transactions.ts";
import { MemberPartitions, partitionKey } from "./member-partitions.ts";
import { OffsetCommitter } from "./offset-committer.ts";
import type { OwnedPartition, PartitionListener } from "./owned-partition.ts";

/** What a group member needs. */
export interface GroupMemberParts {
  readonly group: string;
  readonly options: ResolvedConsumerOptions;
  readonly host: TransportHost;
  readonly deliver: Deliver;
  createConsumer(sink: ConsumerSink): DriverConsumer;
}

/** Where a membership stands, for health. */
export interface MembershipState {
  readonly kind: "joining" | "joined" | "rebalancing" | "closed" | "ended";
  /** Milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Why it ended. */
  readonly error?: BusError;
}

/** A partition that cannot be read on from where it stands. */
export interface UnreadablePartition extends TopicPartition {
  readonly error: BusError;
  /** Milliseconds since the Unix epoch. */
  readonly sinceMs: number;
}

/**
 * One member of one group, whatever the client: it turns what a driver tells into owned partitions, lets them drain
 * before they are given away, and commits what they have settled.
 */
export class GroupMember implements ConsumerSink {
  readonly group: string;
  readonly consumer: DriverConsumer;
  readonly partitions: MemberPartitions;
  readonly #parts: GroupMemberParts;
  readonly #committer: OffsetCommitter;
  readonly #pausedByScheduler = new Set<string>();
  #topics: ReadonlyMap<string, TopicSubscription> = new Map();
  #state: MembershipState;
  #isClosing = false;

  constructor(parts: GroupMemberParts) {
    const { options, host, deliver } = parts;
    this.group = parts.group;
    this.#parts = parts;
    this.#state = { kind: "joining", sinceMs: host.clock.now() };
    this.partitions = new MemberPartitions({
      options,
      clock: host.clock,
      random: () => host.random(),
      deliver,
      listener: this.#listener(),
    });
    this.#committer = this.#newCommitter();
    this.consumer = parts.createConsumer(this);
  }

  get state(): MembershipState {
    return this.#state;
  }

  /** Partitions that cannot be read on from where they stand. */
  get stuck(): readonly UnreadablePartition[] {
    return [...this.partitions].flatMap(({ topic, partition, unreadable }) =>
      unreadable === undefined ? [] : [{ topic, partition, ...unreadable }],
    );
  }

  /** What the partitions of a topic do: read it, hold it, or (absent) nothing that outlasts the next change. */
  setTopics(topics: ReadonlyMap<string, TopicSubscription>): void {
    this.#topics = topics;
    for (const partition of this.partitions) this.#applyTopic(partition);
  }

  pause(partition: TopicPartition): void {
    this.#pausedByScheduler.add(partitionKey(partition));
    this.partitions.find(partition)?.pause("scheduler");
  }

  resume(partition: TopicPartition): void {
    this.#pausedByScheduler.delete(partitionKey(partition));
    this.partitions.find(partition)?.resume("scheduler");
  }

  /** The position behind a delivery, for a transaction; `undefined` when it is not the oldest unsettled one of a partition owned here. */
  positionAfter(delivery: Delivery): ConsumedPosition | undefined {
    const { topic, partition, offset } = delivery;
    const owned = this.partitions.find({ topic, partition });
    if (owned?.isOldest(delivery) !== true) return undefined;
    const committer = this.#committer;
    return {
      group: this.group,
      position: { topic, partition, offset: offset + 1n },
      hold: () => committer.hold(owned),
      release: (outcome) => {
        if (outcome === "committed") owned.noteCommitted(Number(offset) + 1);
        committer.release(owned);
      },
    };
  }

  /** Drain these partitions and commit them; they stand still until `setTopics` or the next change of ownership. */
  async settle(partitions: readonly OwnedPartition[], budgetMs: number): Promise<number> {
    const abandoned = await this.partitions.drain(partitions, budgetMs);
    await this.#committer.flush();
    return abandoned;
  }

  /** Leave the group. */
  async close(drainTimeoutMs: number): Promise<number> {
    this.#isClosing = true;
    const abandoned = await this.settle([...this.partitions], drainTimeoutMs);
    this.#committer.close();
    await this.consumer.close();
    this.partitions.end([...this.partitions]);
    if (this.#state.kind !== "ended") this.#enter("closed");
    return abandoned;
  }

  records(fetched: FetchedRecords): void {
    const owned = this.partitions.find(fetched);
    if (owned === undefined) return;
    const isFirst = owned.position === undefined;
    if (owned.isVoidedBy(fetched)) this.#startOver(owned, fetched).accept(fetched);
    else owned.accept(fetched);
    // Where a group begins "latest" must be known when it comes back, or what is published meanwhile is passed over.
    if (isFirst && this.#startsLatest(fetched.topic)) this.#committer.moved(owned);
  }

  async releasing(partitions: readonly TopicPartition[]): Promise<void> {
    this.#parts.host.emit({ kind: "rebalancing", group: this.group });
    this.#enter("rebalancing");
    const owned = partitions.flatMap((partition) => this.partitions.find(partition) ?? []);
    await this.settle(owned, this.#parts.options.drainTimeoutMs);
  }

  owned(partitions: readonly TopicPartition[]): readonly PartitionOffset[] {
    const lost = new Set([...this.partitions].filter(({ isOwned }) => !isOwned));
    const { added, removed } = this.partitions.replace(partitions);
    for (const partition of added) this.#begin(partition);
    const kept = [...this.partitions].filter((partition) => partition.isDrained);
    for (const partition of kept) this.#applyTopic(partition);
    const regained = [...lost].filter((partition) => !removed.includes(partition));
    const revoked = removed.filter((partition) => !lost.has(partition));
    if (revoked.length > 0) this.#tellRevoked(revoked, "revoked");
    this.#parts.host.emit({
      kind: "assigned",
      group: this.group,
      partitions: [...added, ...regained].map(plain),
    });
    this.#enter("joined");
    return kept.flatMap(({ topic, partition, nextFetch }) =>
      nextFetch === undefined ? [] : [{ topic, partition, offset: BigInt(nextFetch) }],
    );
  }

  unreadable(partition: TopicPartition, error: BusError): void {
    this.partitions.find(partition)?.fail(error);
  }

  lost(partitions: readonly TopicPartition[]): void {
    const lost = partitions
      .flatMap((partition) => this.partitions.find(partition) ?? [])
      .filter(({ isOwned }) => isOwned);
    if (lost.length === 0) return;
    for (const partition of lost) partition.lose();
    this.#tellRevoked(lost, "lost");
  }

  ended(error: BusError): void {
    this.lost([...this.partitions]);
    this.#committer.close();
    this.#state = { kind: "ended", sinceMs: this.#parts.host.clock.now(), error };
    this.#parts.host.emit({ kind: "subscriptionEnded", group: this.group, error });
  }

  #begin(partition: OwnedPartition): void {
    if (this.#pausedByScheduler.has(partitionKey(partition))) partition.pause("scheduler");
    this.#applyTopic(partition);
    this.#applyFlow(partition);
  }

  #startOver(partition: OwnedPartition, { fetchedFrom }: FetchedRecords): OwnedPartition {
    const where = `${partition.topic}[${partition.partition}]`;
    this.#warn(
      `what is known of ${where} does not fit a fetch from offset ${fetchedFrom}: the log was cut or made anew, or another member went on; starting over`,
      plain(partition),
    );
    const begun = this.partitions.begin(partition);
    this.#begin(begun);
    return begun;
  }

  #applyTopic(partition: OwnedPartition): void {
    const topic = this.#topics.get(partition.topic);
    if (topic?.held === true) partition.pause("held");
    else partition.resume("held");
    if (topic !== undefined && !this.#isClosing) partition.restart();
  }

  #applyFlow(partition: OwnedPartition): void {
    if (partition.isFetching) this.consumer.resume(partition);
    else this.consumer.pause(partition);
  }

  #startsLatest(topic: string): boolean {
    return (this.#topics.get(topic)?.startFrom ?? this.#parts.options.autoOffsetReset) === "latest";
  }

  #tellRevoked(partitions: readonly OwnedPartition[], how: "revoked" | "lost"): void {
    for (const partition of partitions) this.#pausedByScheduler.delete(partitionKey(partition));
    this.#parts.host.emit({
      kind: "revoked",
      group: this.group,
      partitions: partitions.map(plain),
      lost: how === "lost",
    });
  }

  #enter(kind: "joined" | "rebalancing" | "closed"): void {
    this.#state = { kind, sinceMs: this.#parts.host.clock.now() };
  }

  #warn(message: string, details: object): void {
    const { group } = this;
    this.#parts.host.emit({ kind: "warning", message, details: { group, ...details } });
  }

  #listener(): PartitionListener {
    return {
      flowChanged: (partition) => this.#applyFlow(partition),
      acknowledged: () => this.#committer.acknowledged(),
      moved: (partition) => this.#committer.moved(partition),
      duplicates: ({ topic, partition }, count) =>
        this.#parts.host.emit({
          kind: "duplicateDropped",
          group: this.group,
          topic,
          partition,
          count,
        }),
      stalled: (partition, error) => this.#warn(error.message, { ...plain(partition), error }),
      readAgain: (partition, offset) =>
        this.consumer.seek({ ...plain(partition), offset: BigInt(offset) }),
      recovered: ({ topic, partition }) =>
        this.#parts.host.logger.info(`${topic}[${partition}] can be read again`, {
          group: this.group,
        }),
      skipped: (partition, { from, to }) =>
        this.#warn(
          `offsets ${from} to ${to - 1} of ${partition.topic}[${partition.partition}] cannot be read and are passed over, as consumer.skipUnreadable says`,
          { ...plain(partition), from, to },
        ),
    };
  }

  #newCommitter(): OffsetCommitter {
    const { group } = this;
    const { options, host } = this.#parts;
    return new OffsetCommitter({
      clock: host.clock,
      intervalMs: options.commitIntervalMs,
      everyMessages: options.commitEveryMessages,
      commit: (offsets) => this.consumer.commit(offsets),
      onCommitted: (partitions, durationMs) =>
        host.emit({ kind: "committed", group, partitions, durationMs }),
      onFailed: (error) => host.emit({ kind: "commitFailed", group, error }),
    });
  }
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}
