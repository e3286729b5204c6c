import type { FlowControl } from "@bus/core";

/**
 * Counts who wants a partition of one topic to stand still: paused by the first, resumed by the last.
 *
 * A partition may be held by several full mailboxes at once, and by aggregates that wait for a lane.
 */
export class PartitionHolds {
  readonly #topic: string;
  readonly #flow: FlowControl;
  readonly #holders: number[] = [];
  #held = 0;

  constructor(topic: string, flow: FlowControl) {
    this.#topic = topic;
    this.#flow = flow;
  }

  /** Partitions that stand still now. */
  get held(): number {
    return this.#held;
  }

  hold(partition: number): void {
    const holders = this.#holders[partition] ?? 0;
    this.#holders[partition] = holders + 1;
    if (holders > 0) return;
    this.#held++;
    this.#flow.pause({ topic: this.#topic, partition });
  }

  release(partition: number): void {
    const holders = this.#holders[partition] ?? 0;
    if (holders === 0)
      throw new RangeError(
        `partition ${partition} of ${this.#topic} was released more often than held`,
      );
    this.#holders[partition] = holders - 1;
    if (holders > 1) return;
    this.#held--;
    this.#flow.resume({ topic: this.#topic, partition });
  }
}
