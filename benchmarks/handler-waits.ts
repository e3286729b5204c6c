/** A wait that ends within so many milliseconds is polled for: timers of Node end on whole milliseconds. */
const POLLED_MS = 2;

interface Wait {
  readonly dueMs: number;
  readonly resolve: () => void;
}

/**
 * What handlers wait for, all equally long: a stand-in for the answer of a database, which comes as an event at any
 * moment, not on a whole millisecond as a timer does. One poll serves all waits, so that thousands of them at once cost
 * the run about as little as the sockets that they stand for.
 */
export class HandlerWaits {
  readonly #waitMs: number;
  #waits: Wait[] = [];
  #head = 0;
  #isArmed = false;
  #ended = 0;
  #endedMs = 0;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Milliseconds that the waits took in truth, on average: longer than told when the machine is busy. */
  get meanMs(): number {
    return this.#endedMs / this.#ended;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waits.push({ dueMs: performance.now() + this.#waitMs, resolve });
      if (!this.#isArmed) this.#arm(this.#waitMs);
    });
  }

  #arm(leftMs: number): void {
    this.#isArmed = true;
    if (leftMs > POLLED_MS + 1) setTimeout(this.#end, leftMs - POLLED_MS);
    else setImmediate(this.#end);
  }

  readonly #end = (): void => {
    this.#isArmed = false;
    const nowMs = performance.now();
    let next = this.#waits[this.#head];
    while (next !== undefined && next.dueMs <= nowMs) {
      this.#head++;
      this.#ended++;
      this.#endedMs += nowMs - next.dueMs + this.#waitMs;
      next.resolve();
      next = this.#waits[this.#head];
    }
    if (this.#head > 1024) {
      this.#waits = this.#waits.slice(this.#head);
      this.#head = 0;
    }
    if (next !== undefined) this.#arm(next.dueMs - nowMs);
  };
}
