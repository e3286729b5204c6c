import type { TopicPartition } from "@bus/core";

/** A partition that this process owns, for as long as its epoch is the newest one. */
export interface Lease extends TopicPartition {
  /** One higher at every take-over, from 1: who has a lower one is fenced. */
  readonly epoch: number;
  /** What owners saved last: the stream sequence up to which everything is done; `undefined` before the first. */
  readonly floor: number | undefined;
}

/** What the owner of partitions is told. */
export interface LeaseListener {
  /** The partition is ours: begin. Called once per epoch. */
  acquired(lease: Lease): void;
  /**
   * Another process is to have the partition: finish, and resolve with the floor reached (`undefined`: as saved
   * before). The lease is given up then; it stays ours, and is renewed, until the promise settles. Also called for every
   * partition by `close()`.
   */
  revoked(lease: Lease): Promise<number | undefined>;
  /** The partition is not ours any more: stop at once, another process may have it. Nothing can be saved. */
  lost(lease: Lease): void;
  /** Something failed and is tried again: the store, or a listener. */
  failed(error: unknown): void;
}

/** A topic whose partitions are divided among the processes that name it. */
export interface LeasedTopic {
  readonly topic: string;
  /** Partitions 0 to `partitions` − 1. */
  readonly partitions: number;
}
