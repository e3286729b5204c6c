import { defineTopic } from "@bus/core";
import type { EventBus, Topic } from "@bus/core";
import type { ManualClock } from "@bus/testkit";

/** Numbers as messages, keyed by themselves. */
export const Orders: Topic<number, number> = defineTopic<number>("orders", {
  key: (id) => String(id),
});
/** Another topic of numbers. */
export const Returns: Topic<number, number> = defineTopic<number>("returns", {
  key: (id) => String(id),
});

/** Handlers that wait until they are let through. */
export class Gate implements Disposable {
  readonly #waiting: (() => void)[] = [];
  #open = false;

  get waiting(): number {
    return this.#waiting.length;
  }

  readonly pass: () => Promise<void> = (): Promise<void> => {
    if (this.#open) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  };

  open(): void {
    this.#open = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  [Symbol.dispose](): void {
    this.open();
  }
}

/** The series of a gauge by the values of their labels. */
export function gaugesOf(bus: Pick<EventBus, "instruments">, name: string): Record<string, number> {
  const series = bus.instruments.read().filter(({ spec }) => spec.name === name);
  return Object.fromEntries(
    series.map(({ labels, value }) => [Object.values(labels).join("/"), value]),
  );
}

/** The numbers from 0. */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Let time pass until a condition holds; a minute of it at most. */
export async function advanceUntil(
  clock: ManualClock,
  condition: () => boolean,
  what: string,
): Promise<void> {
  for (let passedMs = 0; passedMs < 60_000; passedMs += 50) {
    if (condition()) return;
    await clock.advanceAsync(50);
  }
  throw new Error(`a minute passed without ${what}`);
}

/** Let time pass until a promise has settled. */
export async function driven<TValue>(
  clock: ManualClock,
  promise: Promise<TValue>,
): Promise<TValue> {
  let settled = false;
  const end = (): void => void (settled = true);
  promise.then(end, end);
  await advanceUntil(clock, () => settled, "an answer");
  return promise;
}
