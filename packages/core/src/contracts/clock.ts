/** The only source of time in a bus; replaced by `manualClock` in tests. */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds that never go backwards; for durations. */
  monotonicMs(): number;
  /** Run `callback` once, not before `delayMs` from now (to the millisecond, as the machine's timers are). Returns a function that cancels it (idempotent). */
  schedule(callback: () => void, delayMs: number, options?: ScheduleOptions): () => void;
}

/** How a callback is scheduled. */
export interface ScheduleOptions {
  /** Whether the process may end before it has run, as for a look at gauges. @defaultValue false */
  readonly background?: boolean;
}
