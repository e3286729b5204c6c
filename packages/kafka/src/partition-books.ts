import { OffsetTracker } from "@bus/core/adapter";
import { DeliveryRing } from "./delivery-ring.ts";
import type { OldestDelivery } from "./delivery-ring.ts";
import type { FetchedRecords, OwnedDelivery } from "./kafka-driver.ts";

/** A delivery that was given back unhandled, with the ticket that it keeps. */
export interface ReleasedDelivery {
  readonly ticket: number;
  readonly delivery: OwnedDelivery;
}

/** What is known of one partition from the first fetch on: received, settled, given back, committed. */
export class PartitionBooks {
  /** The position that the group has stored, as far as this member knows. */
  committed: number | undefined;
  readonly #tracker: OffsetTracker;
  readonly #ring = new DeliveryRing();
  readonly #startedAt: number;
  #released: ReleasedDelivery[] = [];

  /** @param startedAt - The offset that was asked for first. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
    this.#tracker = new OffsetTracker(startedAt);
  }

  /** The position that may be committed. */
  get position(): number {
    return this.#tracker.position;
  }

  /** The next offset expected from the broker. */
  get received(): number {
    return this.#tracker.received;
  }

  /** Whether everything received has settled. */
  get isSettled(): boolean {
    return this.#tracker.unsettled === 0;
  }

  /** Settled messages that wait behind an unsettled one. */
  get settledAhead(): number {
    return this.#tracker.settledAhead;
  }

  /**
   * Whether a fetch shows that these books are not those of the partition any more: the log ends before what was
   * received from it (cut, or made anew).
   */
  isCutBy({ fetchedFrom, end }: FetchedRecords): boolean {
    return fetchedFrom < this.received && end < this.received;
  }

  /**
   * Whether the group's stored position, at which a fetch began, is one that these books cannot explain: it is behind
   * what this member stored (somebody reset it) or ahead of what it has settled (somebody else went on).
   */
  isOvertakenBy({ fetchedFrom }: FetchedRecords): boolean {
    return fetchedFrom < (this.committed ?? this.#startedAt) || fetchedFrom > this.position;
  }

  /** Note an offset; the ticket is that of the delivery made for it. Only for offsets of at least `received`. */
  receive(offset: number): number {
    return this.#tracker.track(offset);
  }

  /** Note a delivery that is about to be handed over. */
  handOver(ticket: number, delivery: OwnedDelivery, atMs: number): void {
    this.#ring.add(ticket, delivery, atMs);
  }

  /** @returns Whether the position moved. */
  settle(ticket: number): boolean {
    this.#ring.remove(ticket);
    return this.#tracker.settle(ticket);
  }

  /** The broker has nothing to deliver below. */
  advance(nextPosition: number): void {
    this.#tracker.advance(nextPosition);
  }

  /** Keep a delivery that was given back, to offer it again. */
  giveBack(released: ReleasedDelivery): void {
    this.#released.push(released);
  }

  /** What was given back, the lowest offset first, once `sortReleased` was called. */
  get firstReleased(): ReleasedDelivery | undefined {
    return this.#released[0];
  }

  dropFirstReleased(): void {
    this.#released.shift();
  }

  sortReleased(): void {
    this.#released.sort((a, b) => a.ticket - b.ticket);
  }

  /** The unsettled delivery that holds the position back. */
  oldest(): OldestDelivery | undefined {
    return this.#ring.oldest();
  }
}
