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
  /** Called when a timed handler kept the event loop to itself for long. */
  readonly onLongRun?: (delivery: Delivery, tookMs: number) => void;
}

/** Runs timed one by one in a window; beyond that one run in so many is timed and counts for all of them. */
const TIMED_EACH_WINDOW = 1_000;
const ONE_IN = 16;
const WINDOW_MS = 1_000;
/** A handler that returns to the event loop sooner than this does not block it. */
const LONG_RUN_MS = 50;

/** A run that is timed; most runs of a busy subscription are not, and cost no object. */
export interface TimedRun {
  /** On the monotonic clock. */
  readonly beganMs: number;
  /** How many runs this one is timed for. */
  readonly timedFor: number;
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

  /** @returns What `end` needs, or `undefined` when this run is not timed. */
  begin(): TimedRun | undefined {
    if (this.#left > 0) {
      this.#left--;
      return this.#time(1);
    }
    if (++this.#skipped < ONE_IN) return undefined;
    this.#skipped = 0;
    return this.#time(ONE_IN);
  }

  /** The handler has returned, or its first part has; nothing else could run meanwhile. */
  returned({ beganMs }: TimedRun, delivery: Delivery): void {
    const tookMs = this.#parts.clock.monotonicMs() - beganMs;
    if (tookMs >= LONG_RUN_MS) this.#parts.onLongRun?.(delivery, tookMs);
  }

  /** Record a successful run. */
  end({ beganMs, timedFor }: TimedRun, delivery: Delivery): void {
    const { clock, processing, endToEnd } = this.#parts;
    processing.record((clock.monotonicMs() - beganMs) / 1000, timedFor);
    endToEnd.record(Math.max(0, clock.now() - delivery.timestampMs) / 1000, timedFor);
  }

  #time(timedFor: number): TimedRun {
    const beganMs = this.#parts.clock.monotonicMs();
    if (beganMs >= this.#windowEndsMs) this.#openWindow(beganMs);
    return { beganMs, timedFor };
  }

  #openWindow(nowMs: number): void {
    this.#left = TIMED_EACH_WINDOW;
    this.#windowEndsMs = nowMs + WINDOW_MS;
  }
}
