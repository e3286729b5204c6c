import type { Clock } from "@bus/core";
import type { PartitionReader } from "./partition-reader.ts";

/** Collects readers whose position has moved and commits them together: one timer for all, none while nothing moves. */
export class OffsetCommitter {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #commit: (readers: readonly PartitionReader[]) => void;
  readonly #moved = new Set<PartitionReader>();
  #cancelTimer: (() => void) | undefined;

  /** @param commit - Store the positions of readers now. */
  constructor(
    clock: Clock,
    intervalMs: number,
    commit: (readers: readonly PartitionReader[]) => void,
  ) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#commit = commit;
  }

  /** Called once when a reader's position moves, and again only after `forget`. */
  moved(reader: PartitionReader): void {
    this.#moved.add(reader);
    this.#cancelTimer ??= this.#clock.schedule(() => this.flush(), this.#intervalMs);
  }

  /** Commit at once what has moved. */
  flush(): void {
    this.#stopTimer();
    if (this.#moved.size > 0) this.#commit([...this.#moved]);
  }

  /** A reader's position is committed, or must not be committed any more. */
  forget(reader: PartitionReader): void {
    reader.hasMoved = false;
    this.#moved.delete(reader);
    if (this.#moved.size === 0) this.#stopTimer();
  }

  /** Leave no timer and nothing to commit. */
  stop(): void {
    this.#moved.clear();
    this.#stopTimer();
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
