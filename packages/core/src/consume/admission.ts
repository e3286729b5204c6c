import type { Delivery } from "../contracts/delivery.ts";
import type { Admit } from "../contracts/plugin.ts";
import type { Scheduler, SubscriptionSpec } from "../contracts/scheduler.ts";
import type { BusReporter } from "../observe/bus-reporter.ts";
import { Fifo } from "./fifo.ts";

/**
 * Lets deliveries in to a scheduler, in order: while one waits (for a rate limit), all after it wait.
 * An admit hook that fails lets its delivery in: limits protect others, they must not lose or block a message.
 */
export class AdmittingScheduler implements Scheduler {
  readonly #scheduler: Scheduler;
  readonly #admits: readonly Admit[];
  readonly #spec: SubscriptionSpec;
  readonly #reporter: BusReporter;
  readonly #queue = new Fifo<Delivery>();
  readonly #watched = new WeakSet<AbortSignal>();
  #working: Promise<void> | undefined;

  constructor(
    scheduler: Scheduler,
    parts: { admits: readonly Admit[]; spec: SubscriptionSpec; reporter: BusReporter },
  ) {
    this.#scheduler = scheduler;
    this.#admits = parts.admits;
    this.#spec = parts.spec;
    this.#reporter = parts.reporter;
  }

  schedule(delivery: Delivery): void {
    if (this.#working !== undefined && !delivery.draining.aborted) {
      this.#queue.push(delivery);
      this.#watchDraining(delivery.draining);
      return;
    }
    const waiting = this.#admit(delivery, 0);
    if (waiting === undefined) this.#scheduler.schedule(delivery);
    else this.#working = this.#work(delivery, waiting);
  }

  async drained(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
    await this.#scheduler.drained();
  }

  /** What waits behind a limit must not keep a partition from being handed over: once it drains it passes at once. */
  #watchDraining(draining: AbortSignal): void {
    if (this.#watched.has(draining)) return;
    this.#watched.add(draining);
    draining.addEventListener("abort", () => this.#passDraining(), { once: true });
  }

  #passDraining(): void {
    for (let left = this.#queue.size; left > 0; left--) {
      const delivery = this.#queue.shift();
      if (delivery === undefined) return;
      if (delivery.draining.aborted) this.#scheduler.schedule(delivery);
      else this.#queue.push(delivery);
    }
  }

  async #work(first: Delivery, firstWait: Promise<void>): Promise<void> {
    let waiting: Promise<void> | undefined = firstWait;
    for (let next: Delivery | undefined = first; next !== undefined; next = this.#queue.shift()) {
      waiting ??= this.#admit(next, 0);
      if (waiting !== undefined) await waiting;
      waiting = undefined;
      this.#scheduler.schedule(next);
    }
    this.#working = undefined;
  }

  /** Ask the hooks in order; a promise only when one of them waits. Never rejects. */
  #admit(delivery: Delivery, from: number): Promise<void> | undefined {
    for (let index = from; index < this.#admits.length; index++) {
      const waiting = this.#ask(index, delivery);
      if (waiting !== undefined) return waiting.then(() => this.#admit(delivery, index + 1));
    }
    return undefined;
  }

  #ask(index: number, delivery: Delivery): Promise<void> | undefined {
    if (delivery.draining.aborted) return undefined;
    try {
      const waiting = this.#admits[index]?.(delivery, this.#spec);
      return waiting?.catch((error: unknown) =>
        this.#reporter.defect("an admit hook failed", error),
      );
    } catch (error) {
      this.#reporter.defect("an admit hook failed", error);
      return undefined;
    }
  }
}
