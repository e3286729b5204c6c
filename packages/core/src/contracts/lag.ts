import type { TopicPartition } from "./message.ts";

/** How far a group is behind in one partition. */
export interface PartitionLag extends TopicPartition {
  /** Next offset to consume; `undefined` when nothing is committed. */
  readonly committed: bigint | undefined;
  /** First offset that still exists. */
  readonly low: bigint;
  /** End of what a consumer may read: last stable offset under `read_committed`, high water mark otherwise. */
  readonly high: bigint;
  /** `high − max(committed, low)`; nothing committed: `high − low` for `earliest`, 0 for `latest`. */
  readonly lagMessages: bigint;
  /**
   * Messages that the partition has received, from any fixed beginning; rates are taken from it. Absent where
   * differences of offsets are numbers of messages; there where a partition's offsets also count those of others.
   */
  readonly produced?: bigint;
}

/** A partition whose lag could not be read; never to be taken for zero. */
export interface UnknownPartitionLag extends TopicPartition {
  readonly error: unknown;
}

/** The lag of a group over topics. */
export interface GroupLag {
  readonly partitions: readonly PartitionLag[];
  /** Partitions (or, with `partition: -1`, whole topics) that could not be read. */
  readonly unknown: readonly UnknownPartitionLag[];
}

/** What to measure. */
export interface LagQuery {
  readonly group: string;
  readonly topics: readonly string[];
  readonly signal?: AbortSignal;
}

/** Reads how far a group is behind. Capability `lag`. */
export interface LagReader {
  /** Messages behind, partition by partition. At most one admin request per topic and call. Never rejects for a single partition: see `unknown`. */
  read(query: LagQuery): Promise<GroupLag>;
  /**
   * Partitions of `lag` in which an unconsumed message older than `olderThanMs` exists; one look-up per topic.
   * Messages are as old as their broker timestamps say.
   */
  olderThan(
    lag: readonly PartitionLag[],
    olderThanMs: number,
    signal?: AbortSignal,
  ): Promise<readonly TopicPartition[]>;
}
