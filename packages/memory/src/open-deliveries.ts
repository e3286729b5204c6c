/** The deliveries of one ownership that have not settled, and the two signals that they share. */
export class OpenDeliveries {
  readonly #draining = new AbortController();
  readonly #aborting = new AbortController();
  readonly #waiters: (() => void)[] = [];
  #count = 0;
  #isOver = false;

  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether the ownership has ended: settlements are void. */
  get isOver(): boolean {
    return this.#isOver;
  }

  opened(): void {
    this.#count += 1;
  }

  settled(): void {
    this.#count -= 1;
    if (this.#count === 0 && this.#waiters.length > 0) this.#tellWaiters();
  }

  /** Abort `draining`; resolves when everything has settled, or the ownership has ended. */
  drain(): Promise<void> {
    if (!this.draining.aborted) this.#draining.abort();
    if (this.#count === 0 || this.#isOver) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Abort `signal`; `drain` was called before. */
  end(): void {
    this.#isOver = true;
    this.#aborting.abort();
    this.#tellWaiters();
  }

  #tellWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
