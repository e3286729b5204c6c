import { BusClosedError } from "@bus/core";
import type {
  CloseOptions,
  CloseReport,
  Deliver,
  PartitionState,
  StartFrom,
  TopicPartition,
  TopicSubscription,
  TransportHost,
  TransportSubscription,
} from "@bus/core";
import { InFlightGate } from "@bus/core/adapter";
import type { ClientLink } from "./client-link.ts";
import type { ConsumerGroup, GroupMember, Ownership } from "./consumer-group.ts";
import type { DeliveryLoop } from "./delivery-loop.ts";
import type { ResolvedMemoryOptions } from "./memory-options.ts";
import { OwnedPartitions } from "./owned-partitions.ts";
import type { PartitionLog } from "./partition-log.ts";
import { BLOCK } from "./read-blocks.ts";

/** What a membership is made of. */
export interface MemberParts {
  readonly id: string;
  readonly group: ConsumerGroup;
  readonly loop: DeliveryLoop;
  readonly link: ClientLink;
  readonly host: TransportHost;
  readonly options: ResolvedMemoryOptions;
  readonly deliver: Deliver;
  /** Make sure that topics can be subscribed. @throws BusTransportError `BUS_TOPIC_MISSING`, `BUS_NO_OFFSET` */
  readonly prepare: (topics: readonly TopicSubscription[]) => void;
  readonly onClosed: (subscription: MemorySubscription) => void;
}

/** One member of one group. */
export class MemorySubscription implements TransportSubscription, GroupMember {
  readonly id: string;
  readonly sessionTimeoutMs: number;
  topics: ReadonlySet<string>;
  readonly #parts: MemberParts;
  readonly #owned: OwnedPartitions;
  #requests: ReadonlyMap<string, TopicSubscription>;
  /** Whether the set of topics has changed and the group does not know. */
  #isChanged = false;
  #changes: Promise<void> = Promise.resolve();
  #closing: Promise<CloseReport> | undefined;
  #abandonedInCrash = 0;

  constructor(parts: MemberParts, topics: readonly TopicSubscription[]) {
    this.id = parts.id;
    this.sessionTimeoutMs = parts.options.sessionTimeoutMs;
    this.#parts = parts;
    this.#requests = byTopic(topics);
    this.topics = new Set(this.#requests.keys());
    this.#owned = createOwnedPartitions(parts, (topic) => this.#requests.get(topic));
  }

  /** The name of the group. */
  get group(): string {
    return this.#parts.group.name;
  }

  /** Where the group begins in a topic of this member; `undefined` for another topic. */
  startFromOf(topic: string): StartFrom | undefined {
    const request = this.#requests.get(topic);
    return request === undefined ? undefined : (request.startFrom ?? this.#parts.options.startFrom);
  }

  join(): Promise<void> {
    return this.#parts.group.join(this);
  }

  update(topics: readonly TopicSubscription[]): Promise<void> {
    const change = this.#changes.then(() => this.#change(topics));
    this.#changes = change.catch(() => {
      // Told to whoever asked for this change; the next one does not depend on it.
    });
    return change;
  }

  pause(partition: TopicPartition): void {
    this.#owned.readerOf(partition)?.block(BLOCK.scheduler);
  }

  resume(partition: TopicPartition): void {
    this.#owned.readerOf(partition)?.unblock(BLOCK.scheduler);
  }

  partitions(): readonly PartitionState[] {
    return this.#owned.states();
  }

  close(options: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#close(options.drainTimeoutMs);
    return this.#closing;
  }

  rebalancing(): void {
    this.#parts.host.emit({ kind: "rebalancing", group: this.group });
  }

  rebalanced(): void {
    if (this.#closing !== undefined || this.#parts.link.isDead) return;
    this.#parts.host.emit({ kind: "assigned", group: this.group, partitions: [] });
  }

  assign(ownerships: readonly Ownership[]): void {
    // A member that closes or is dead leaves its group soon; until then nobody reads what it is given.
    if (this.#closing !== undefined || this.#parts.link.isDead) return;
    this.#owned.add(ownerships);
    const partitions = ownerships.map(({ log }) => partitionOfLog(log));
    this.#parts.host.emit({ kind: "assigned", group: this.group, partitions });
  }

  async revoke(ownerships: readonly Ownership[]): Promise<void> {
    // A member that is cut off hears of it when it is back, or is expelled before.
    await this.#parts.link.whenUp();
    await this.#owned.stopReaders(ownerships, this.#parts.options.rebalanceDrainMs);
    this.#tellRevoked(this.#owned.drop(ownerships), { lost: false });
  }

  lose(ownerships: readonly Ownership[]): void {
    this.#tellRevoked(this.#owned.drop(ownerships), { lost: true });
  }

  /** The connection is cut: what was delivered may settle, nothing new comes, and the group may expel this member. */
  goOffline(): void {
    this.#owned.goOffline();
    this.#parts.group.suspect(this);
  }

  /** The connection is back: go on, or join again when the group has expelled this member. */
  async goOnline(): Promise<void> {
    const { group, prepare } = this.#parts;
    group.alive(this);
    this.#owned.goOnline();
    // A member that closes leaves by itself once it has drained.
    if (this.#closing !== undefined) return;
    if (this.#isChanged) prepare([...this.#requests.values()]);
    if (group.has(this)) return this.#tellTopics();
    this.#isChanged = false;
    await group.join(this);
  }

  /** The process of this member is gone: nothing is drained, committed or left. */
  crash(): void {
    this.#abandonedInCrash = this.#owned.outstanding;
    this.#owned.drop(this.#owned.ownerships);
    this.#parts.group.suspect(this);
  }

  async #change(topics: readonly TopicSubscription[]): Promise<void> {
    const { link, options, prepare } = this.#parts;
    this.#requireOpen();
    if (link.isUp) prepare(topics);
    const wanted = byTopic(topics);
    this.#isChanged ||= !sameKeys(this.#requests, wanted);
    // From here on nothing of a topic that leaves or is held is opened any more, whatever happens while it drains.
    this.#requests = wanted;
    this.topics = new Set(wanted.keys());
    const leaving = this.#owned.ownerships.filter(({ log }) => !wanted.has(log.topic));
    const holding = this.#owned.ownerships.filter(
      ({ log }) => wanted.get(log.topic)?.held === true,
    );
    await this.#owned.stopReaders([...leaving, ...holding], options.rebalanceDrainMs);
    this.#tellRevoked(this.#owned.drop(leaving), { lost: false });
    this.#requireOpen();
    this.#owned.openReaders();
    // Cut off, it tells the group when it is back.
    if (link.isUp) await this.#tellTopics();
  }

  async #tellTopics(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    await this.#parts.group.topicsChanged(this);
  }

  async #close(drainTimeoutMs: number): Promise<CloseReport> {
    const { group, link } = this.#parts;
    const abandoned = await this.#owned.stopReaders(this.#owned.ownerships, drainTimeoutMs);
    this.#tellRevoked(this.#owned.drop(this.#owned.ownerships), { lost: false });
    // Cut off or dead, it cannot say that it leaves; the group expels it.
    if (link.isUp) group.leave(this);
    this.#parts.onClosed(this);
    return { abandonedDeliveries: abandoned + this.#abandonedInCrash };
  }

  #requireOpen(): void {
    if (this.#closing !== undefined)
      throw new BusClosedError(`the subscription of group ${this.group} is closed`);
  }

  #tellRevoked(logs: readonly PartitionLog[], { lost }: { readonly lost: boolean }): void {
    if (logs.length === 0) return;
    this.#parts.host.emit({
      kind: "revoked",
      group: this.group,
      partitions: logs.map(partitionOfLog),
      lost,
    });
  }
}

function createOwnedPartitions(
  { group, link, host, loop, options, deliver }: MemberParts,
  requestOf: (topic: string) => TopicSubscription | undefined,
): OwnedPartitions {
  return new OwnedPartitions({
    group,
    link,
    host,
    commitIntervalMs: options.commitIntervalMs,
    modeOf: (topic) => {
      const request = requestOf(topic);
      // A topic that is not wanted any more is not read either while it waits to be given up.
      return {
        startFrom: request?.startFrom ?? options.startFrom,
        isHeld: request === undefined || request.held === true,
      };
    },
    reading: {
      loop,
      deliver,
      gate: new InFlightGate({
        maxMessages: options.maxInFlightMessages,
        maxBytes: options.maxInFlightBytes,
      }),
      clock: host.clock,
      logger: host.logger,
      maxUncommittedMessages: options.maxUncommittedMessages,
      onWarning: (message, details) =>
        host.emit({ kind: "warning", message, details: { group: group.name, ...details } }),
    },
  });
}

function byTopic(topics: readonly TopicSubscription[]): ReadonlyMap<string, TopicSubscription> {
  return new Map(topics.map((topic) => [topic.topic, topic]));
}

function sameKeys(
  left: ReadonlyMap<string, unknown>,
  right: ReadonlyMap<string, unknown>,
): boolean {
  return left.size === right.size && [...left.keys()].every((key) => right.has(key));
}

function partitionOfLog({ topic, partition }: PartitionLog): TopicPartition {
  return { topic, partition };
}
