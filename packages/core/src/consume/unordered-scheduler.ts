import type { Delivery } from "../contracts/delivery.ts";
import type { HandlerSlot, RunDelivery, Scheduler } from "../contracts/scheduler.ts";
import { Fifo } from "./fifo.ts";
import { ReturningRun } from "../adapter/returning-run.ts";

/** Runs deliveries in any order, up to a number at once. */
export class UnorderedScheduler implements Scheduler {
  readonly #run: RunDelivery;
  readonly #concurrency: number;
  /** What waits for a slot: deliveries for their first one, runs that gave theirs back for another. */
  readonly #queue = new Fifo<Delivery | ReturningRun>();
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #workers = 0;
  #filling = false;

  constructor(run: RunDelivery, concurrency: number) {
    this.#run = run;
    this.#concurrency = concurrency;
  }

  schedule(delivery: Delivery): void {
    if (this.#taken < this.#concurrency) void this.#work(delivery);
    else this.#queue.push(delivery);
  }

  drained(): Promise<void> {
    if (this.#workers === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** One worker: runs its first delivery, then whatever waits. Never rejects, because `run` never does. */
  async #work(first: Delivery): Promise<void> {
    this.#taken++;
    this.#workers++;
    const slot = new WorkerSlot(
      () => this.#free(),
      (signal) => this.#take(signal),
    );
    for (let next: Delivery | undefined = first; next !== undefined; next = this.#nextFor(slot))
      await this.#run(next, slot);
    this.#workers--;
    if (this.#workers === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** What a worker runs next; without anything its slot passes on, unless it was given back before. */
  #nextFor(slot: WorkerSlot): Delivery | undefined {
    if (!slot.taken) return undefined;
    const next = this.#queue.shift();
    if (next !== undefined && !(next instanceof ReturningRun)) return next;
    this.#taken--;
    if (next?.letIn() === true) this.#taken++;
    this.#fill();
    return undefined;
  }

  #free(): void {
    this.#taken--;
    this.#fill();
  }

  /** Not nested: a run that fails at once gives its slot back before it has returned. */
  #fill(): void {
    if (this.#filling) return;
    this.#filling = true;
    while (this.#taken < this.#concurrency) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      if (!(next instanceof ReturningRun)) void this.#work(next);
      else if (next.letIn()) this.#taken++;
    }
    this.#filling = false;
  }

  #take(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    if (this.#taken < this.#concurrency) {
      this.#taken++;
      return Promise.resolve(true);
    }
    const returning = new ReturningRun(signal);
    this.#queue.push(returning);
    return returning.settled;
  }
}

/** The slot of a worker, lent to one delivery after the other. */
class WorkerSlot implements HandlerSlot {
  taken = true;
  readonly #free: () => void;
  readonly #take: (signal: AbortSignal) => Promise<boolean>;

  constructor(free: () => void, take: (signal: AbortSignal) => Promise<boolean>) {
    this.#free = free;
    this.#take = take;
  }

  giveBack(): void {
    if (!this.taken) return;
    this.taken = false;
    this.#free();
  }

  async takeAgain(signal: AbortSignal): Promise<boolean> {
    this.taken = await this.#take(signal);
    return this.taken;
  }
}
