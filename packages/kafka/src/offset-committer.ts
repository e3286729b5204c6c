import { BusError } from "@bus/core";
import type { Clock } from "@bus/core";
import type { PartitionOffset } from "./kafka-driver.ts";
import type { OwnedPartition } from "./owned-partition.ts";

/** What an offset committer needs. */
export interface OffsetCommitterParts {
  readonly clock: Clock;
  /** Longest time between a settlement and its commit, milliseconds. */
  readonly intervalMs: number;
  /** Acknowledgements after which a commit is made at once. */
  readonly everyMessages: number;
  /** Store positions; never called while an earlier call runs. */
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  onCommitted(partitions: number, durationMs: number): void;
  /** Not called for `BUS_FENCED`: that the next owner knows better is no failure. */
  onFailed(error: unknown): void;
}

/**
 * Commits the positions of a member's partitions: all that moved in one request, one request at a time (piled-up commits
 * get a member expelled), on a timer that runs only while there is something to commit.
 */
export class OffsetCommitter {
  readonly #parts: OffsetCommitterParts;
  readonly #dirty = new Set<OwnedPartition>();
  readonly #held = new Set<OwnedPartition>();
  #acknowledged = 0;
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(parts: OffsetCommitterParts) {
    this.#parts = parts;
  }

  acknowledged(): void {
    this.#acknowledged += 1;
    if (this.#acknowledged >= this.#parts.everyMessages && this.#running === undefined)
      void this.#start();
  }

  moved(partition: OwnedPartition): void {
    if (this.#closed) return;
    this.#dirty.add(partition);
    this.#arm();
  }

  /** Commit what has moved up to now. Resolves when the broker has answered; a failure was told and is kept for the next time. */
  async flush(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    await this.#start();
  }

  /** Keep a partition out of commits until `release`; resolves when none that holds it is under way. */
  async hold(partition: OwnedPartition): Promise<void> {
    this.#held.add(partition);
    while (this.#running !== undefined) await this.#running;
  }

  release(partition: OwnedPartition): void {
    this.#held.delete(partition);
    this.moved(partition);
  }

  /** Commit no more; `flush` first. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#dirty.clear();
  }

  #arm(): void {
    this.#cancelTimer ??= this.#parts.clock.schedule(() => {
      this.#cancelTimer = undefined;
      // While a commit runs, its end arms the timer again.
      if (this.#running === undefined) void this.#start();
    }, this.#parts.intervalMs);
  }

  #start(): Promise<void> {
    const partitions = [...this.#dirty].filter((one) => isBehind(one) && !this.#held.has(one));
    this.#dirty.clear();
    this.#acknowledged = 0;
    if (partitions.length === 0) return Promise.resolve();
    this.#running = this.#commit(partitions).finally(() => {
      this.#running = undefined;
      if (this.#dirty.size > 0 && !this.#closed) this.#arm();
    });
    return this.#running;
  }

  async #commit(partitions: readonly OwnedPartition[]): Promise<void> {
    const startedMs = this.#parts.clock.monotonicMs();
    const positions = partitions.map((partition) => partition.position ?? 0);
    const offsets = partitions.map(({ topic, partition }, index) => ({
      topic,
      partition,
      offset: BigInt(positions[index] ?? 0),
    }));
    try {
      await this.#parts.commit(offsets);
    } catch (error) {
      for (const partition of partitions) this.moved(partition);
      if (!BusError.is(error, "BUS_FENCED")) this.#parts.onFailed(error);
      return;
    }
    for (const [index, partition] of partitions.entries())
      partition.noteCommitted(positions[index] ?? 0);
    this.#parts.onCommitted(partitions.length, this.#parts.clock.monotonicMs() - startedMs);
  }
}

/** A position that was committed is never taken back. */
function isBehind({ isOwned, position, committed }: OwnedPartition): boolean {
  return isOwned && position !== undefined && (committed === undefined || position > committed);
}
