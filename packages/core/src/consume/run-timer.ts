import type { Clock } from "../contracts/clock.ts";
import type { Delivery } from "../contracts/delivery.ts";
import type { Histogram } from "../contracts/instruments.ts";

/** What a timer records. */
export interface RunTimerParts {
  readonly clock: Clock;
  /** Seconds that a handler ran. */
  readonly processing: Histogram;
  /** Seconds from the broker's timestamp to the end of the handler. */
  readonly endToEnd: Histogram;
}

/** Runs timed one by one in a window; beyond that one run in so many is timed and counts for all of them. */
const TIMED_EACH_WINDOW = 1_000;
const ONE_IN = 16;
const WINDOW_MS = 1_000;

/** The part of a run that its timer writes. */
export interface TimedRun {
  /** On the monotonic clock. */
  beganMs: number;
  /** How many runs this one is timed for; 0 when it is not timed. */
  timedFor: number;
}

/**
 * Times handler runs. Reading the clock can cost more than all the rest of a run, so a busy subscription is sampled:
 * a thousand runs a second are timed one by one, beyond that one in sixteen, recorded sixteen times.
 */
export class RunTimer {
  readonly #parts: RunTimerParts;
  #left = TIMED_EACH_WINDOW;
  #skipped = 0;
  #windowEndsMs = Number.NEGATIVE_INFINITY;

  constructor(parts: RunTimerParts) {
    this.#parts = parts;
  }

  begin(run: TimedRun): void {
    if (this.#left > 0) {
      this.#left--;
      this.#time(run, 1);
    } else if (++this.#skipped === ONE_IN) {
      this.#skipped = 0;
      this.#time(run, ONE_IN);
    }
  }

  /** Record a successful run; does nothing when it is not timed. */
  end({ beganMs, timedFor }: TimedRun, delivery: Delivery): void {
    if (timedFor === 0) return;
    const { clock, processing, endToEnd } = this.#parts;
    processing.record((clock.monotonicMs() - beganMs) / 1000, timedFor);
    endToEnd.record(Math.max(0, clock.now() - delivery.timestampMs) / 1000, timedFor);
  }

  #time(run: TimedRun, timedFor: number): void {
    const nowMs = this.#parts.clock.monotonicMs();
    run.beganMs = nowMs;
    run.timedFor = timedFor;
    if (nowMs >= this.#windowEndsMs) this.#openWindow(nowMs);
  }

  #openWindow(nowMs: number): void {
    this.#left = TIMED_EACH_WINDOW;
    this.#windowEndsMs = nowMs + WINDOW_MS;
  }
}
