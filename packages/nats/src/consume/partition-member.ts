import { BusTransportError } from "@bus/core";
import type {
  Deliver,
  PartitionState,
  TopicPartition,
  TopicSubscription,
  TransportHost,
} from "@bus/core";
import { InFlightGate, wait } from "@bus/core/adapter";
import type { NatsLink } from "../client/nats-link.ts";
import type { Lease, LeasedTopic, LeaseListener } from "../leases/lease-contract.ts";
import type { ResolvedNatsOptions } from "../nats-options.ts";
import type { PartitionConsumers } from "../topology/partition-consumers.ts";
import { AckCommitter } from "./ack-committer.ts";
import { OwnedPartition } from "./owned-partition.ts";
import type { PartitionListener } from "./owned-partition.ts";

/** How long handlers that were told to stop may take to end, so that none of them runs beside those of the next owner. */
const ABORT_GRACE_MS = 250;
/** Shares of the ack wait after which the server is told to wait on. */
const HEARTBEATS_PER_ACK_WAIT = 3;

/** Divides partitions between processes. */
export interface PartitionLeasing {
  start(): Promise<void>;
  /** The topics whose partitions this process wants a share of. */
  setTopics(topics: readonly LeasedTopic[]): void;
  /** Give up everything, each partition after `revoked`, and leave. */
  close(): Promise<void>;
}

/** What a member needs. */
export interface PartitionMemberParts {
  readonly group: string;
  readonly deliver: Deliver;
  readonly host: TransportHost;
  readonly options: ResolvedNatsOptions;
  readonly link: NatsLink;
  readonly consumers: PartitionConsumers;
  /** First sequence of a partition in which the group has no position. */
  readonly initialStart: (topic: string) => Promise<number>;
}

/** One process of one group with partitions: what leases give it, it reads; what they take, it drains first. */
export class PartitionMember implements LeaseListener {
  readonly #parts: PartitionMemberParts;
  readonly #gate: InFlightGate;
  readonly #committer: AckCommitter;
  readonly #owned = new Map<string, OwnedPartition>();
  readonly #pausedByScheduler = new Set<string>();
  readonly #stopListening: () => void;
  #topics: ReadonlyMap<string, TopicSubscription> = new Map();
  #drainBudgetMs: number;
  #handingOver = 0;
  #hasLost = false;
  #abandoned = 0;
  #onLeft: (() => void)[] = [];
  #cancelHeartbeat: (() => void) | undefined;

  constructor(parts: PartitionMemberParts) {
    const { group, host, link, options } = parts;
    this.#parts = parts;
    this.#drainBudgetMs = options.drainTimeoutMs;
    this.#gate = new InFlightGate({
      maxMessages: options.maxAckPending,
      maxBytes: options.maxInFlightBytes,
    });
    this.#committer = new AckCommitter({ group, clock: host.clock, link, emit: host.emit });
    this.#stopListening = link.listen({
      connected: () => this.#lostAreOver(),
      disconnected: () => undefined,
    });
    this.#heartbeat();
  }

  /** Deliveries that had not settled when partitions had to be given up. */
  get abandoned(): number {
    return this.#abandoned;
  }

  /** Why a partition is not being read although it should be; empty when all is well. */
  get trouble(): string {
    return [...this.#owned.values()].find(({ trouble }) => trouble !== "")?.trouble ?? "";
  }

  /** What is wanted from now on: topics that are held are not read. */
  setTopics(topics: ReadonlyMap<string, TopicSubscription>): void {
    this.#topics = topics;
    for (const partition of this.#owned.values()) this.#applyHold(partition);
  }

  pause(partition: TopicPartition): void {
    const key = keyOf(partition);
    if (!this.#owned.has(key)) return;
    this.#pausedByScheduler.add(key);
    this.#owned.get(key)?.pause("scheduler");
  }

  resume(partition: TopicPartition): void {
    const key = keyOf(partition);
    this.#pausedByScheduler.delete(key);
    this.#owned.get(key)?.resume("scheduler");
  }

  describe(): readonly PartitionState[] {
    return Array.from(this.#owned.values(), (partition) => partition.describe());
  }

  /** Finish what topics have running and acknowledge it; they stay owned. */
  async settleTopics(topics: ReadonlySet<string>): Promise<void> {
    const partitions = [...this.#owned.values()].filter(({ topic }) => topics.has(topic));
    await this.#drain(partitions);
    await Promise.all(partitions.map((partition) => this.#lastCommit(partition)));
    for (const partition of partitions) this.#applyHold(partition);
  }

  /** Resolves when nothing of these topics is owned. */
  async left(topics: ReadonlySet<string>): Promise<void> {
    const isLeft = (): boolean => ![...this.#owned.values()].some(({ topic }) => topics.has(topic));
    while (!isLeft()) await new Promise<void>((resolve) => this.#onLeft.push(resolve));
  }

  /** From now on partitions drain within this budget. */
  setDrainBudget(budgetMs: number): void {
    this.#drainBudgetMs = budgetMs;
    for (const partition of this.#owned.values()) partition.drain(() => undefined);
  }

  close(): void {
    this.#cancelHeartbeat?.();
    this.#stopListening();
    this.#committer.close();
    for (const partition of this.#owned.values()) partition.end();
    this.#owned.clear();
  }

  acquired(lease: Lease): void {
    const { group, deliver, host, link, consumers, options, initialStart } = this.#parts;
    const key = keyOf(lease);
    this.#owned.get(key)?.end();
    const partition = new OwnedPartition({
      group,
      lease,
      stream: options.stream.name,
      link,
      consumers,
      gate: this.#gate,
      clock: host.clock,
      random: host.random,
      deliver,
      listener: this.#listener(),
      maxUncommittedMessages: options.maxUncommittedMessages,
      initialStart: () => initialStart(lease.topic),
    });
    this.#owned.set(key, partition);
    this.#applyHold(partition);
    host.emit({ kind: "assigned", group, partitions: [plain(lease)] });
  }

  async revoked(lease: Lease): Promise<number | undefined> {
    const { group, host } = this.#parts;
    const key = keyOf(lease);
    const partition = this.#owned.get(key);
    if (partition === undefined) return lease.floor;
    if (this.#handingOver === 0) host.emit({ kind: "rebalancing", group });
    this.#handingOver += 1;
    this.#abandoned += await this.#drain([partition]);
    await this.#lastCommit(partition);
    const { position } = partition;
    this.#forget(key, partition);
    host.emit({ kind: "revoked", group, partitions: [plain(lease)], lost: false });
    this.#handingOver -= 1;
    if (this.#handingOver === 0) host.emit({ kind: "assigned", group, partitions: [] });
    return position === undefined ? lease.floor : position - 1;
  }

  lost(lease: Lease): void {
    const { group, host } = this.#parts;
    const key = keyOf(lease);
    const partition = this.#owned.get(key);
    if (partition === undefined) return;
    this.#forget(key, partition);
    host.emit({ kind: "revoked", group, partitions: [plain(lease)], lost: true });
    this.#hasLost = true;
    if (this.#parts.link.isConnected) this.#lostAreOver();
    // Unlike a membership, a lease that was lost needs nothing to be built anew.
    if (this.#handingOver === 0) host.emit({ kind: "assigned", group, partitions: [] });
  }

  /** Whoever hears of a loss waits for what comes after it, which may be nothing. */
  #lostAreOver(): void {
    if (!this.#hasLost) return;
    this.#hasLost = false;
    this.#parts.host.emit({ kind: "assigned", group: this.#parts.group, partitions: [] });
  }

  failed(error: unknown): void {
    const message = `leases of group ${this.#parts.group}: ${error instanceof Error ? error.message : String(error)}`;
    this.#parts.host.emit({ kind: "warning", message, details: { group: this.#parts.group } });
  }

  #forget(key: string, partition: OwnedPartition): void {
    partition.end();
    this.#committer.forget(partition);
    this.#owned.delete(key);
    // Whoever paused it did so for deliveries that are over.
    this.#pausedByScheduler.delete(key);
    const waiting = this.#onLeft;
    this.#onLeft = [];
    for (const resolve of waiting) resolve();
  }

  #applyHold(partition: OwnedPartition): void {
    const subscription = this.#topics.get(partition.topic);
    const isHeld = subscription?.held === true || subscription === undefined;
    if (isHeld) return partition.pause("held");
    partition.restart();
    partition.resume("held");
  }

  /** @returns Deliveries that had not settled when the budget was over. */
  async #drain(partitions: readonly OwnedPartition[]): Promise<number> {
    const { clock } = this.#parts.host;
    const idle = new AbortController();
    const drained = Promise.all(
      partitions.map((partition) => new Promise<void>((resolve) => partition.drain(resolve))),
    ).then(() => idle.abort());
    if (!(await wait(clock, this.#drainBudgetMs, idle.signal))) return 0;
    const abandoned = partitions.reduce((sum, partition) => sum + partition.unsettled, 0);
    for (const partition of partitions) partition.abort();
    await Promise.race([drained, wait(clock, ABORT_GRACE_MS, idle.signal)]);
    return abandoned;
  }

  /** What cannot be confirmed is in the floor that the lease keeps. */
  async #lastCommit(partition: OwnedPartition): Promise<void> {
    const { group, host, link } = this.#parts;
    if (!link.isConnected) return;
    try {
      await this.#committer.commit(partition);
    } catch (error) {
      host.emit({ kind: "commitFailed", group, error });
    }
  }

  #heartbeat(): void {
    const { clock } = this.#parts.host;
    const everyMs = this.#parts.options.ackWaitMs / HEARTBEATS_PER_ACK_WAIT;
    this.#cancelHeartbeat = clock.schedule(() => {
      const beforeMs = clock.monotonicMs() - everyMs / 2;
      if (this.#parts.link.isConnected)
        for (const partition of this.#owned.values()) partition.keepWaiting(beforeMs);
      this.#heartbeat();
    }, everyMs);
  }

  #listener(): PartitionListener {
    const { group, host } = this.#parts;
    return {
      moved: (partition) => this.#committer.touch(partition),
      duplicates: ({ topic, partition }, count) =>
        host.emit({ kind: "duplicateDropped", group, topic, partition, count }),
      stalled: ({ topic, partition }, error) =>
        host.emit({
          kind: "warning",
          message: error.message,
          details: { group, topic, partition, ...error.details },
        }),
    };
  }
}

/** A string that stands for a partition. */
function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

/** The refusal to begin without a position. */
export function noOffset(group: string, topic: string, partition: number): BusTransportError {
  return new BusTransportError(
    "BUS_NO_OFFSET",
    `group ${group} has no position in ${topic}[${partition}] and the start position is none`,
    { details: { group, topic, partition } },
  );
}
