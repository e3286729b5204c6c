import type { Intake } from "./intake.ts";
import type { QueuedMessage } from "./queued-message.ts";

/**
 * Where the pool keeps a lane.
 *
 * - `shelf`: among the recently used lanes, where idle ones may be evicted.
 * - `kept`: a busy lane beside the shelf, since eviction met it there or it got its place while busy; on the shelf when idle.
 * - `waiting`: not yet a lane: the limit is reached and none is idle. Its messages wait.
 * - `passing`: direct runs of one aggregate; forgotten when they end.
 */
export type LanePlace = "shelf" | "kept" | "waiting" | "passing";

/**
 * What a lane is doing.
 *
 * - `resting`: nothing queued, nothing of its own running.
 * - `ready`: its head waits for a free handler.
 * - `running`: a handler of it runs; what is queued waits for that one.
 * - `delayed`: its head waits for the aggregate's rate limit.
 * - `blocked`: its head waits for direct runs of its aggregate, or for a place among the lanes.
 */
export type LaneState = "resting" | "ready" | "running" | "delayed" | "blocked";

interface Hold {
  readonly intake: Intake;
  readonly partition: number;
}

/** The mailbox and the state of one aggregate: first in, first out, one handler at a time. */
export class Lane {
  key = "";
  place: LanePlace = "shelf";
  state: LaneState = "resting";
  /** Direct runs of this aggregate that may overlap each other, started before it needed a lane. */
  overlapping = 0;
  /** The subscription whose message came last. */
  intake: Intake | undefined;
  /** Sweep count when a message last came; see `LaneSet.sweep`. */
  usedAtSweep = 0;
  /** When the aggregate's rate limit is full again, on the monotonic clock. */
  limitFullAtMs = 0;
  #head: QueuedMessage | undefined;
  #tail: QueuedMessage | undefined;
  #size = 0;
  /** The first hold has a place of its own: most lanes that hold anything hold one partition. */
  #holdIntake: Intake | undefined;
  #holdPartition = 0;
  #moreHolds: Hold[] | undefined;

  /** Messages queued, the running one not included. */
  get size(): number {
    return this.#size;
  }

  get busy(): boolean {
    return this.state !== "resting" || this.overlapping > 0;
  }

  get head(): QueuedMessage | undefined {
    return this.#head;
  }

  push(entry: QueuedMessage): void {
    if (this.#tail === undefined) this.#head = entry;
    else this.#tail.next = entry;
    this.#tail = entry;
    this.#size++;
  }

  /** Take the head out. */
  shift(): void {
    const next = this.#head?.next;
    this.#head = next;
    if (next === undefined) this.#tail = undefined;
    this.#size--;
  }

  /** Take out what drains, in order; the rest keeps its order. */
  removeDraining(take: (entry: QueuedMessage) => void): void {
    let entry = this.#head;
    this.#head = undefined;
    this.#tail = undefined;
    this.#size = 0;
    while (entry !== undefined) {
      const { next } = entry;
      entry.next = undefined;
      if (entry.delivery?.draining.aborted === true) take(entry);
      else this.push(entry);
      entry = next;
    }
  }

  /** Hold a partition until `releaseHolds`; once per partition, however often called. */
  hold(intake: Intake, partition: number): void {
    if (this.#holdIntake === undefined) {
      this.#holdIntake = intake;
      this.#holdPartition = partition;
      intake.holds.hold(partition);
      return;
    }
    if (this.#holdPartition === partition && this.#holdIntake === intake) return;
    const holds = (this.#moreHolds ??= []);
    if (holds.some((held) => held.partition === partition && held.intake === intake)) return;
    holds.push({ intake, partition });
    intake.holds.hold(partition);
  }

  releaseHolds(): void {
    const first = this.#holdIntake;
    if (first === undefined) return;
    const more = this.#moreHolds;
    this.#holdIntake = undefined;
    this.#moreHolds = undefined;
    first.holds.release(this.#holdPartition);
    if (more !== undefined)
      for (const { intake, partition } of more) intake.holds.release(partition);
  }

  /** Serve another aggregate; only for a lane that rests. */
  rename(key: string): void {
    this.key = key;
    this.intake = undefined;
    this.limitFullAtMs = 0;
  }
}
