/** The only source of time in a bus; replaced by `manualClock` in tests. */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds that never go backwards; for durations. */
  monotonicMs(): number;
  /** Run `callback` once, not before `delayMs` from now. Returns a function that cancels it (idempotent). */
  schedule(callback: () => void, delayMs: number): () => void;
}
