import type { Clock } from "@bus/core";
import { systemClock } from "@bus/core/adapter";

/** Real time, until a clock is adopted; the first one counts. */
export class AdoptedClock implements Clock {
  #clock: Clock | undefined;

  adopt(clock: Clock): void {
    this.#clock ??= clock;
  }

  now(): number {
    return (this.#clock ?? systemClock).now();
  }

  monotonicMs(): number {
    return (this.#clock ?? systemClock).monotonicMs();
  }

  schedule(callback: () => void, delayMs: number): () => void {
    return (this.#clock ?? systemClock).schedule(callback, delayMs);
  }
}
