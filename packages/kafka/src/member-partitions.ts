import type { Clock, Deliver, PartitionState, TopicPartition } from "@bus/core";
import { InFlightGate, wait } from "@bus/core/adapter";
import type { ResolvedConsumerOptions } from "./driver-options.ts";
import { OwnedPartition } from "./owned-partition.ts";
import type { PartitionListener } from "./owned-partition.ts";

/** How long handlers that were told to stop may take to end, so that none of them runs beside those of the next owner. */
const ABORT_GRACE_MS = 250;

/** What the partitions of a member share. */
export interface MemberPartitionsParts {
  readonly options: ResolvedConsumerOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly deliver: Deliver;
  readonly listener: PartitionListener;
}

/** A change of what a member owns. */
export interface OwnershipChange {
  readonly added: readonly OwnedPartition[];
  readonly removed: readonly OwnedPartition[];
}

/** The partitions that one group member owns, under one in-flight bound. */
export class MemberPartitions implements Iterable<OwnedPartition> {
  readonly #parts: MemberPartitionsParts;
  readonly #gate: InFlightGate;
  readonly #byTopic = new Map<string, Map<number, OwnedPartition>>();

  constructor(parts: MemberPartitionsParts) {
    this.#parts = parts;
    const { maxInFlightMessages: maxMessages, maxInFlightBytes: maxBytes } = parts.options;
    this.#gate = new InFlightGate({ maxMessages, maxBytes });
  }

  *[Symbol.iterator](): Iterator<OwnedPartition> {
    for (const partitions of this.#byTopic.values()) yield* partitions.values();
  }

  find({ topic, partition }: TopicPartition): OwnedPartition | undefined {
    return this.#byTopic.get(topic)?.get(partition);
  }

  /** Own exactly these: what is missing ends, what is new begins. */
  replace(owned: readonly TopicPartition[]): OwnershipChange {
    const keys = new Set(owned.map(partitionKey));
    const removed = [...this].filter((partition) => !keys.has(partitionKey(partition)));
    this.end(removed);
    const added = owned
      .filter((partition) => this.find(partition) === undefined)
      .map((partition) => this.begin(partition));
    return { added, removed };
  }

  /** Own a partition from the start; an ownership that it had is over. */
  begin({ topic, partition }: TopicPartition): OwnedPartition {
    this.find({ topic, partition })?.end();
    const { options, ...shared } = this.#parts;
    const { maxUncommittedMessages, skipUnreadable } = options;
    const gate = this.#gate;
    const mayBeSkipped = skipUnreadable.filter(
      (range) => range.topic === topic && range.partition === partition,
    );
    const bounds = { gate, maxUncommittedMessages, mayBeSkipped };
    const owned = new OwnedPartition({ topic, partition, ...bounds, ...shared });
    const partitions = this.#byTopic.get(topic) ?? new Map<number, OwnedPartition>();
    this.#byTopic.set(topic, partitions.set(partition, owned));
    return owned;
  }

  end(partitions: readonly OwnedPartition[]): void {
    for (const partition of partitions) {
      this.#byTopic.get(partition.topic)?.delete(partition.partition);
      partition.end();
    }
  }

  /**
   * Drain partitions; when the budget is over, running handlers are told to stop, and those that heed it get a moment.
   *
   * @returns Deliveries that had not settled when the budget was over.
   */
  async drain(partitions: readonly OwnedPartition[], budgetMs: number): Promise<number> {
    const { clock } = this.#parts;
    const idle = new AbortController();
    const drained = drainAll(partitions).then(() => idle.abort());
    if (!(await wait(clock, budgetMs, idle.signal))) return 0;
    const abandoned = partitions.reduce((sum, partition) => sum + partition.unsettled, 0);
    for (const partition of partitions) partition.abort();
    await Promise.race([drained, wait(clock, ABORT_GRACE_MS, idle.signal)]);
    return abandoned;
  }

  describe(): readonly PartitionState[] {
    return [...this].filter(({ isOwned }) => isOwned).map((partition) => partition.describe());
  }
}

function drainAll(partitions: readonly OwnedPartition[]): Promise<unknown> {
  return Promise.all(
    partitions.map((partition) => new Promise<void>((resolve) => partition.drain(resolve))),
  );
}

/** A string that stands for a partition. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
