import type { Clock } from "../contracts/clock.ts";
import type { Delivery } from "../contracts/delivery.ts";
import type { Histogram } from "../contracts/instruments.ts";
import { SampledTimer } from "../observe/sampled-timer.ts";
import type { Timing } from "../observe/sampled-timer.ts";

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

/** A handler that returns to the event loop sooner than this does not block it. */
const LONG_RUN_MS = 50;

/** Times the successful handler runs of one subscription; a busy one is sampled. */
export class RunTimer {
  readonly #parts: RunTimerParts;
  readonly #timer: SampledTimer;

  constructor(parts: RunTimerParts) {
    this.#parts = parts;
    this.#timer = new SampledTimer(parts.clock);
  }

  /** @returns What `end` needs, or `undefined` when this run is not timed. */
  begin(): Timing | undefined {
    return this.#timer.begin();
  }

  /** The handler has returned, or its first part has; nothing else could run meanwhile. */
  returned(timing: Timing, delivery: Delivery): void {
    const tookMs = this.#timer.elapsedMs(timing);
    if (tookMs >= LONG_RUN_MS) this.#parts.onLongRun?.(delivery, tookMs);
  }

  /** Record a successful run. */
  end(timing: Timing, delivery: Delivery): void {
    const { clock, processing, endToEnd } = this.#parts;
    processing.record(this.#timer.elapsedMs(timing) / 1000, timing.timedFor);
    endToEnd.record(Math.max(0, clock.now() - delivery.timestampMs) / 1000, timing.timedFor);
  }

  /** Record a successful run of a batch: one run, and the way of each of its messages. */
  endBatch(timing: Timing, deliveries: readonly Delivery[]): void {
    const { clock, processing, endToEnd } = this.#parts;
    processing.record(this.#timer.elapsedMs(timing) / 1000, timing.timedFor);
    const nowMs = clock.now();
    for (const { timestampMs } of deliveries)
      endToEnd.record(Math.max(0, nowMs - timestampMs) / 1000, timing.timedFor);
  }
}
