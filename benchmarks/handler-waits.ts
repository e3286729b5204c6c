/** A wait that ends within so many milliseconds is polled for: timers of Node end on whole milliseconds. */
const POLLED_MS = 2;

interface Wait {
  readonly dueMs: number;
  readonly resolve: (tookMs: number) => void;
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

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** @returns Milliseconds that it took in truth: more than told when the machine is busy. */
  wait(): Promise<number> {
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
      next.resolve(nowMs - next.dueMs + this.#waitMs);
      next = this.#waits[this.#head];
    }
    if (this.#head > 1024) {
      this.#waits = this.#waits.slice(this.#head);
      this.#head = 0;
    }
    if (next !== undefined) this.#arm(next.dueMs - nowMs);
  };
}

/** What the handlers of each key took in truth. */
export class HandlerTimes {
  readonly #counts = new Map<number, number>();
  readonly #sums = new Map<number, number>();

  add(key: number, tookMs: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#sums.set(key, (this.#sums.get(key) ?? 0) + tookMs);
  }

  /** Mean over all handlers, and over those of the key that had most. */
  means(): { readonly allMs: number; readonly hottestMs: number } {
    let [count, sum, hottestCount, hottestMs] = [0, 0, 0, 0];
    for (const [key, ofKey] of this.#counts) {
      const sumOfKey = this.#sums.get(key) ?? 0;
      count += ofKey;
      sum += sumOfKey;
      if (ofKey <= hottestCount) continue;
      hottestCount = ofKey;
      hottestMs = sumOfKey / ofKey;
    }
    return { allMs: sum / count, hottestMs };
  }
}
