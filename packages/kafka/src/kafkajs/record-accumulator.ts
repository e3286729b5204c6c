import type { Clock } from "@bus/core";
import type { OutgoingRecord } from "../kafka-driver.ts";
import { PartitionQueue } from "./partition-queue.ts";
import type { BatchLimits } from "./partition-queue.ts";

/** What an accumulator needs. */
export interface RecordAccumulatorParts {
  readonly clock: Clock;
  /** How long a record waits for others. */
  readonly lingerMs: number;
  readonly limits: BatchLimits;
  /** `ready` has something to give, or may have. Called at the end of the running turn, not within `add`. */
  readonly onReady: () => void;
}

/**
 * Gathers records into batches by partition: a batch is ready when it is full or its first record has waited `lingerMs`,
 * the batch before it has come back, and the pause before a retry is over.
 *
 * `add` is O(1), `ready` is O(partitions that hold something); one timer for all.
 */
export class RecordAccumulator {
  readonly #parts: RecordAccumulatorParts;
  readonly #byTopic = new Map<string, (PartitionQueue | undefined)[]>();
  readonly #active = new Set<PartitionQueue>();
  #isSignalled = false;
  #timerAtMs = Infinity;
  #cancelTimer = (): void => undefined;

  constructor(parts: RecordAccumulatorParts) {
    this.#parts = parts;
  }

  /** The queues that hold something. */
  get active(): Iterable<PartitionQueue> {
    return this.#active;
  }

  get isEmpty(): boolean {
    return this.#active.size === 0;
  }

  add(record: OutgoingRecord): void {
    const queue = this.#queueOf(record);
    if (queue.waiting === 0) this.#begin(queue);
    queue.add(record);
    if (queue.isFull && queue.inFlight === undefined) this.signal();
  }

  /** Queues from which a batch may be taken now. Arms the timer for those that must wait. */
  ready(): readonly PartitionQueue[] {
    const nowMs = this.#parts.clock.monotonicMs();
    const ready: PartitionQueue[] = [];
    let nextMs = Infinity;
    for (const queue of this.#active) {
      const { readyAtMs } = queue;
      if (readyAtMs <= nowMs) ready.push(queue);
      else nextMs = Math.min(nextMs, readyAtMs);
    }
    this.#arm(nextMs);
    return ready;
  }

  /** Make what waits now wait no longer for more. */
  flush(): void {
    for (const queue of this.#active) queue.lingerUntilMs = 0;
    this.signal();
  }

  /** A queue has changed other than by `add`: forget it when it is empty, and see what is ready. */
  changed(queue: PartitionQueue): void {
    if (queue.isEmpty) this.#active.delete(queue);
    this.signal();
  }

  /** Call `onReady` at the end of this turn, so that what comes in one turn is sent together. */
  signal(): void {
    if (this.#isSignalled) return;
    this.#isSignalled = true;
    queueMicrotask(() => {
      this.#isSignalled = false;
      this.#parts.onReady();
    });
  }

  /** Forget everything; nothing becomes ready any more. */
  close(): void {
    this.#cancelTimer();
    this.#active.clear();
    this.#isSignalled = true;
  }

  #begin(queue: PartitionQueue): void {
    const { clock, lingerMs } = this.#parts;
    this.#active.add(queue);
    queue.lingerUntilMs = clock.monotonicMs() + lingerMs;
    // The shortest timer of the machine takes a millisecond.
    if (lingerMs === 0) this.signal();
    else this.#arm(Math.min(this.#timerAtMs, queue.lingerUntilMs));
  }

  #queueOf({ topic, partition }: OutgoingRecord): PartitionQueue {
    const known = this.#byTopic.get(topic)?.[partition];
    if (known !== undefined) return known;
    const queue = new PartitionQueue({ topic, partition }, this.#parts.limits);
    const queues = this.#byTopic.get(topic) ?? [];
    queues[partition] = queue;
    this.#byTopic.set(topic, queues);
    return queue;
  }

  #arm(atMs: number): void {
    if (atMs === this.#timerAtMs) return;
    this.#cancelTimer();
    this.#timerAtMs = atMs;
    if (atMs === Infinity) return;
    const { clock, onReady } = this.#parts;
    this.#cancelTimer = clock.schedule(
      () => {
        this.#timerAtMs = Infinity;
        onReady();
      },
      Math.max(atMs - clock.monotonicMs(), 0),
    );
  }
}
