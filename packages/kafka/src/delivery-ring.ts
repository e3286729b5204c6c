import type { OwnedDelivery } from "./kafka-driver.ts";

const INITIAL_SLOTS = 64;

/** The unsettled delivery that was made first. */
export interface OldestDelivery {
  readonly delivery: OwnedDelivery;
  /** Milliseconds since the Unix epoch. */
  readonly deliveredAtMs: number;
}

/**
 * The unsettled deliveries of one partition by ticket, so that the one that holds the commit back can be named.
 *
 * Tickets come in sequence, as `OffsetTracker` gives them. `add` and `remove` are O(1) amortised.
 */
export class DeliveryRing {
  #deliveries: (OwnedDelivery | undefined)[] = Array.from(
    { length: INITIAL_SLOTS },
    () => undefined,
  );
  #deliveredAtMs = new Float64Array(INITIAL_SLOTS);
  #mask = INITIAL_SLOTS - 1;
  #head = 0;
  #tail = 0;

  add(ticket: number, delivery: OwnedDelivery, atMs: number): void {
    if (this.#head === this.#tail) {
      this.#head = ticket;
      this.#tail = ticket;
    }
    while (ticket - this.#head > this.#mask) this.#grow();
    if (ticket >= this.#tail) this.#tail = ticket + 1;
    this.#deliveries[ticket & this.#mask] = delivery;
    this.#deliveredAtMs[ticket & this.#mask] = atMs;
  }

  /** Forget a delivery; unknown tickets are ignored. */
  remove(ticket: number): void {
    if (ticket < this.#head || ticket >= this.#tail) return;
    this.#deliveries[ticket & this.#mask] = undefined;
    if (ticket !== this.#head) return;
    let head = ticket + 1;
    while (head < this.#tail && this.#deliveries[head & this.#mask] === undefined) head += 1;
    this.#head = head;
  }

  oldest(): OldestDelivery | undefined {
    if (this.#head === this.#tail) return undefined;
    const slot = this.#head & this.#mask;
    const delivery = this.#deliveries[slot];
    return delivery === undefined
      ? undefined
      : { delivery, deliveredAtMs: this.#deliveredAtMs[slot] ?? 0 };
  }

  #grow(): void {
    const slots = (this.#mask + 1) * 2;
    const deliveries: (OwnedDelivery | undefined)[] = Array.from(
      { length: slots },
      () => undefined,
    );
    const deliveredAtMs = new Float64Array(slots);
    for (let ticket = this.#head; ticket < this.#tail; ticket += 1) {
      deliveries[ticket & (slots - 1)] = this.#deliveries[ticket & this.#mask];
      deliveredAtMs[ticket & (slots - 1)] = this.#deliveredAtMs[ticket & this.#mask] ?? 0;
    }
    this.#deliveries = deliveries;
    this.#deliveredAtMs = deliveredAtMs;
    this.#mask = slots - 1;
  }
}
