import type { Clock } from "../contracts/clock.ts";

/** Something that is timed; most of what a busy bus does is not, and costs no object. */
export interface Timing {
  /** On the monotonic clock. */
  readonly beganMs: number;
  /** How many of its kind this one is timed for. */
  readonly timedFor: number;
}

/** How many are timed one by one in a window; beyond that one in so many is timed and counts for all of them. */
const TIMED_EACH_WINDOW = 1_000;
const ONE_IN = 32;
const WINDOW_MS = 1_000;

/**
 * Decides what is timed. Reading the clock can cost more than all the rest of handling or publishing a message, so what
 * happens often is sampled: a thousand a second are timed one by one, beyond that one in thirty-two, recorded thirty-two times.
 */
export class SampledTimer {
  readonly #clock: Clock;
  #left = TIMED_EACH_WINDOW;
  #skipped = 0;
  #windowEndsMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns What `elapsedMs` needs, or `undefined` when this one is not timed. */
  begin(): Timing | undefined {
    if (this.#left > 0) {
      this.#left--;
      return this.#time(1);
    }
    if (++this.#skipped < ONE_IN) return undefined;
    this.#skipped = 0;
    return this.#time(ONE_IN);
  }

  elapsedMs({ beganMs }: Timing): number {
    return this.#clock.monotonicMs() - beganMs;
  }

  #time(timedFor: number): Timing {
    const beganMs = this.#clock.monotonicMs();
    if (beganMs >= this.#windowEndsMs) {
      this.#left = TIMED_EACH_WINDOW;
      this.#windowEndsMs = beganMs + WINDOW_MS;
    }
    return { beganMs, timedFor };
  }
}
