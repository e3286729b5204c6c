import { OffsetTracker } from "@bus/core/adapter";
import type { NatsDelivery } from "./nats-delivery.ts";

const INITIAL_SLOTS = 64;

/** What is to be acknowledged: everything before `position`, through `reply`. */
export interface AckPoint {
  readonly reply: string;
  readonly position: number;
}

/** What is known of one partition from its first message on: received, settled, given back, acknowledged. */
export class PartitionBooks {
  /** The position that the server has confirmed. */
  committed: number;
  /** The newest point that can be acknowledged; `undefined` before the first. */
  ackPoint: AckPoint | undefined;
  readonly #tracker: OffsetTracker;
  #ring: (NatsDelivery | undefined)[] = Array.from({ length: INITIAL_SLOTS }, () => undefined);
  #mask = INITIAL_SLOTS - 1;
  // Tickets from head (the lowest unsettled) to tail are in the ring.
  #head = 0;
  #tail = 0;
  #released: NatsDelivery[] = [];

  /** @param start - The first sequence that can come. */
  constructor(start: number) {
    this.#tracker = new OffsetTracker(start);
    this.committed = start;
  }

  /** Everything before is settled. */
  get position(): number {
    return this.#tracker.position;
  }

  /** Sequences before were received. */
  get received(): number {
    return this.#tracker.received;
  }

  /** Settled messages that wait behind an unsettled one. */
  get settledAhead(): number {
    return this.#tracker.settledAhead;
  }

  /** Note a sequence; the ticket is that of the delivery made for it. Only for sequences of at least `received`. */
  receive(sequence: number): number {
    return this.#tracker.track(sequence);
  }

  /** Note a delivery that is handed over, also one that is handed over again. */
  handOver(delivery: NatsDelivery): void {
    const { ticket } = delivery;
    while (ticket - this.#head > this.#mask) this.#grow();
    if (ticket >= this.#tail) this.#tail = ticket + 1;
    this.#ring[ticket & this.#mask] = delivery;
  }

  /** @param incarnation - Of the consumer as it is now. @returns Whether the position moved. */
  settle(delivery: NatsDelivery, incarnation: number): boolean {
    const hasMoved = this.#tracker.settle(delivery.ticket);
    if (!hasMoved) return false;
    const end = this.#tracker.position;
    while (this.#head < this.#tail) {
      const first = this.#ring[this.#head & this.#mask];
      if (first === undefined || first.sequence >= end) break;
      if (first.incarnation === incarnation)
        this.ackPoint = { reply: first.reply, position: first.sequence + 1 };
      this.#ring[this.#head & this.#mask] = undefined;
      this.#head += 1;
    }
    return true;
  }

  /** A message came again, through another incarnation of the consumer: only that one hears its acknowledgement. */
  cameAgain(sequence: number, reply: string, incarnation: number): void {
    if (sequence < this.position) {
      this.ackPoint = { reply, position: sequence + 1 };
      return;
    }
    const known = this.#find(sequence);
    if (known === undefined) return;
    known.reply = reply;
    known.incarnation = incarnation;
  }

  /** Keep a delivery that was given back, to offer it again. */
  giveBack(delivery: NatsDelivery): void {
    this.#released.push(delivery);
  }

  /** What was given back, the lowest sequence first, once `sortReleased` was called. */
  get firstReleased(): NatsDelivery | undefined {
    return this.#released[0];
  }

  dropFirstReleased(): void {
    this.#released.shift();
  }

  sortReleased(): void {
    this.#released.sort((a, b) => a.ticket - b.ticket);
  }

  /** The delivery that holds the position back. */
  oldest(): NatsDelivery | undefined {
    return this.#head === this.#tail ? undefined : this.#ring[this.#head & this.#mask];
  }

  /** Every delivery from the oldest unsettled one on, settled ones among them: all that the server still waits for. */
  *unacknowledged(): IterableIterator<NatsDelivery> {
    for (let ticket = this.#head; ticket < this.#tail; ticket += 1) {
      const delivery = this.#ring[ticket & this.#mask];
      if (delivery !== undefined) yield delivery;
    }
  }

  #find(sequence: number): NatsDelivery | undefined {
    let low = this.#head;
    let high = this.#tail - 1;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const found = this.#ring[middle & this.#mask];
      if (found === undefined) return undefined;
      if (found.sequence === sequence) return found;
      if (found.sequence < sequence) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  #grow(): void {
    const slots = (this.#mask + 1) * 2;
    const ring: (NatsDelivery | undefined)[] = Array.from({ length: slots }, () => undefined);
    for (let ticket = this.#head; ticket < this.#tail; ticket += 1)
      ring[ticket & (slots - 1)] = this.#ring[ticket & this.#mask];
    this.#ring = ring;
    this.#mask = slots - 1;
  }
}
