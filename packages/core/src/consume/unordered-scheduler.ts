import type { Delivery } from "../contracts/delivery.ts";
import type { RunDelivery, Scheduler } from "../contracts/scheduler.ts";
import { Fifo } from "./fifo.ts";

/** Runs deliveries in any order, up to a number at once. */
export class UnorderedScheduler implements Scheduler {
  readonly #run: RunDelivery;
  readonly #concurrency: number;
  readonly #queue = new Fifo<Delivery>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(run: RunDelivery, concurrency: number) {
    this.#run = run;
    this.#concurrency = concurrency;
  }

  schedule(delivery: Delivery): void {
    if (this.#running < this.#concurrency) void this.#work(delivery);
    else this.#queue.push(delivery);
  }

  drained(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** One worker: runs its first delivery, then whatever waits. Never rejects, because `run` never does. */
  async #work(first: Delivery): Promise<void> {
    this.#running++;
    for (let next: Delivery | undefined = first; next !== undefined; next = this.#queue.shift())
      await this.#run(next);
    this.#running--;
    if (this.#running === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
