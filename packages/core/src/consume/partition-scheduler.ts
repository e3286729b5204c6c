import type { Delivery } from "../contracts/delivery.ts";
import type { RunDelivery, Scheduler } from "../contracts/scheduler.ts";
import { Fifo } from "./fifo.ts";

interface PartitionQueue {
  readonly deliveries: Fifo<Delivery>;
  busy: boolean;
}

/** Runs the deliveries of a partition one at a time, in the order in which they came. */
export class PartitionScheduler implements Scheduler {
  readonly #run: RunDelivery;
  readonly #queues: (PartitionQueue | undefined)[] = [];
  readonly #waiting: (() => void)[] = [];
  #busyQueues = 0;

  constructor(run: RunDelivery) {
    this.#run = run;
  }

  schedule(delivery: Delivery): void {
    const queue = (this.#queues[delivery.partition] ??= { deliveries: new Fifo(), busy: false });
    queue.deliveries.push(delivery);
    if (!queue.busy) void this.#work(queue);
  }

  drained(): Promise<void> {
    if (this.#busyQueues === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Never rejects, because `run` never does. */
  async #work(queue: PartitionQueue): Promise<void> {
    queue.busy = true;
    this.#busyQueues++;
    const { deliveries } = queue;
    for (let next = deliveries.shift(); next !== undefined; next = deliveries.shift())
      await this.#run(next);
    queue.busy = false;
    this.#busyQueues--;
    if (this.#busyQueues === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
