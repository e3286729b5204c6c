import type { Clock } from "@bus/core";
import { limitFullAtMs, limitWaitMs } from "./rate-limit.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Lets messages pass at a rate: first come, first served, none dropped. One timer, however many wait. */
export class TokenBucket {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  /** In the order in which they came; a set, so that one that gives up leaves at no cost. */
  readonly #waiters = new Set<() => void>();
  #fullAtMs = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(limit: RateLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Messages that wait now. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Pass, or wait for one's turn.
   *
   * @param signal - Ends the wait early; the turn is then not used up.
   * @returns `undefined` when the message may pass now. Never rejects.
   */
  take(signal: AbortSignal): Promise<void> | undefined {
    if (signal.aborted) return undefined;
    if (this.#waiters.size === 0 && this.#pass()) return undefined;
    return new Promise((resolve) => {
      const leave = (): void => {
        signal.removeEventListener("abort", leave);
        this.#waiters.delete(leave);
        if (this.#waiters.size === 0) this.#disarm();
        resolve();
      };
      this.#waiters.add(leave);
      signal.addEventListener("abort", leave, { once: true });
      if (this.#waiters.size === 1) this.#arm();
    });
  }

  #pass(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (limitWaitMs(this.#limit, this.#fullAtMs, nowMs) > 0) return false;
    this.#fullAtMs = limitFullAtMs(this.#limit, this.#fullAtMs, nowMs);
    return true;
  }

  #arm(): void {
    const delayMs = limitWaitMs(this.#limit, this.#fullAtMs, this.#clock.monotonicMs());
    this.#cancelTimer = this.#clock.schedule(() => this.#letPass(), delayMs);
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #letPass(): void {
    this.#cancelTimer = undefined;
    for (const leave of this.#waiters) {
      if (!this.#pass()) return this.#arm();
      leave();
    }
  }
}
