import type { Clock, ScheduleOptions } from "../contracts/clock.ts";

/** Real time. The one place in @bus that reads the machine's clock and starts timers. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(callback: () => void, delayMs: number, options?: ScheduleOptions): () => void {
    const timer = setTimeout(callback, delayMs);
    if (options?.background === true) timer.unref();
    return () => clearTimeout(timer);
  },
});
