import type { Clock } from "../contracts/clock.ts";
import type { Delivery } from "../contracts/delivery.ts";
import type { Scheduler } from "../contracts/scheduler.ts";

/** When a batch is handed to its handler. */
export interface BatchLimits {
  /** As soon as so many messages of a partition are there. */
  readonly maxMessages: number;
  /** Or so many milliseconds after the first of them came. */
  readonly maxWaitMs: number;
}

/** Runs a batch to the settlement of each of its deliveries. Never rejects. */
export type RunBatch = (deliveries: readonly Delivery[]) => Promise<void>;

interface PartitionBuffer {
  deliveries: Delivery[];
  running: boolean;
  due: boolean;
  cancelTimer: (() => void) | undefined;
  /** The signal that flushes the buffer when ownership ends. */
  draining: AbortSignal | undefined;
}

/** Collects the deliveries of each partition into batches and runs one batch of a partition at a time, in order. */
export class BatchScheduler implements Scheduler {
  readonly #run: RunBatch;
  readonly #limits: BatchLimits;
  readonly #clock: Clock;
  readonly #buffers = new Map<number, PartitionBuffer>();
  readonly #waiting: (() => void)[] = [];
  #unfinished = 0;

  constructor(run: RunBatch, limits: BatchLimits, clock: Clock) {
    this.#run = run;
    this.#limits = limits;
    this.#clock = clock;
  }

  schedule(delivery: Delivery): void {
    const buffer = this.#bufferOf(delivery.partition);
    buffer.deliveries.push(delivery);
    this.#unfinished++;
    if (buffer.draining !== delivery.draining) this.#watchDraining(buffer, delivery.draining);
    if (buffer.running) return;
    if (
      buffer.due ||
      delivery.draining.aborted ||
      buffer.deliveries.length >= this.#limits.maxMessages
    )
      void this.#work(buffer);
    else this.#armTimer(buffer);
  }

  drained(): Promise<void> {
    if (this.#unfinished === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #bufferOf(partition: number): PartitionBuffer {
    const known = this.#buffers.get(partition);
    if (known !== undefined) return known;
    const buffer = {
      deliveries: [],
      running: false,
      due: false,
      cancelTimer: undefined,
      draining: undefined,
    };
    this.#buffers.set(partition, buffer);
    return buffer;
  }

  #watchDraining(buffer: PartitionBuffer, draining: AbortSignal): void {
    buffer.draining = draining;
    draining.addEventListener("abort", () => this.#flush(buffer), { once: true });
  }

  #armTimer(buffer: PartitionBuffer): void {
    buffer.cancelTimer ??= this.#clock.schedule(() => this.#flush(buffer), this.#limits.maxWaitMs);
  }

  /** Hand over what there is, now or as soon as the running batch has ended. */
  #flush(buffer: PartitionBuffer): void {
    buffer.cancelTimer?.();
    buffer.cancelTimer = undefined;
    if (buffer.deliveries.length === 0) return;
    if (buffer.running) buffer.due = true;
    else void this.#work(buffer);
  }

  async #work(buffer: PartitionBuffer): Promise<void> {
    buffer.running = true;
    do {
      buffer.due = false;
      buffer.cancelTimer?.();
      buffer.cancelTimer = undefined;
      const batch = buffer.deliveries.splice(0, this.#limits.maxMessages);
      await this.#run(batch);
      this.#unfinished -= batch.length;
    } while (this.#isReady(buffer));
    buffer.running = false;
    if (buffer.deliveries.length > 0) this.#armTimer(buffer);
    if (this.#unfinished === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #isReady({ deliveries, due, draining }: PartitionBuffer): boolean {
    if (deliveries.length === 0) return false;
    return due || deliveries.length >= this.#limits.maxMessages || draining?.aborted === true;
  }
}
