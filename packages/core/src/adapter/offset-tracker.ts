/** A ticket as `track` gives it for an offset that was received before. */
const ALREADY_RECEIVED = -1;
const INITIAL_SLOTS = 64;
const UNSETTLED = 0;
const SETTLED = 1;

/**
 * Knows, for one partition and one ownership of it, which received offsets have settled and how far the group may commit.
 *
 * It counts over received offsets, never by arithmetic on them, so gaps (compaction, transaction markers, aborted
 * messages) cannot hold the position back. `track`, `settle` and `advance` are O(1) amortised; memory is O(received
 * offsets from the lowest unsettled one on), nine bytes each.
 *
 * Offsets are safe integers here; convert at the contract's boundary, where they are bigint.
 */
export class OffsetTracker {
  #offsets = new Float64Array(INITIAL_SLOTS);
  #states = new Uint8Array(INITIAL_SLOTS);
  #mask = INITIAL_SLOTS - 1;
  // Tickets count receipts; the slot of a ticket is its low bits. Slots from head (the lowest unsettled) to tail are in use.
  #head = 0;
  #tail = 0;
  #unsettled = 0;
  #received: number;

  /** @param position - The next offset to consume: the committed one, or the start of the partition. */
  constructor(position: number) {
    this.#received = checkedOffset(position);
  }

  /** The next offset to consume after a restart: the lowest unsettled received offset, or `received` when none is unsettled. Never decreases. */
  get position(): number {
    return this.oldestUnsettled() ?? this.#received;
  }

  /** The next offset expected from the broker. */
  get received(): number {
    return this.#received;
  }

  /** Offsets received and not yet settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Settled offsets that wait behind an unsettled one: what a crash now would repeat. */
  get settledAhead(): number {
    return this.#tail - this.#head - this.#unsettled;
  }

  /**
   * Note that an offset was received.
   *
   * @returns A ticket for `settle`, or −1 when the offset lies below `received`: a duplicate, to be dropped.
   */
  track(offset: number): number {
    if (offset < this.#received) return ALREADY_RECEIVED;
    checkedOffset(offset);
    const ticket = this.#tail;
    if (ticket - this.#head > this.#mask) this.#grow();
    const slot = ticket & this.#mask;
    this.#offsets[slot] = offset;
    this.#states[slot] = UNSETTLED;
    this.#tail = ticket + 1;
    this.#unsettled += 1;
    this.#received = offset + 1;
    return ticket;
  }

  /**
   * Note that the offset of a ticket needs no further handling.
   *
   * @returns Whether `position` moved.
   * @throws RangeError when the ticket was never given or has been settled before.
   */
  settle(ticket: number): boolean {
    const slot = ticket & this.#mask;
    const isKnown = ticket >= this.#head && ticket < this.#tail;
    if (!isKnown || this.#states[slot] === SETTLED) {
      throw new RangeError(`ticket ${ticket} is not unsettled`);
    }
    this.#unsettled -= 1;
    this.#states[slot] = SETTLED;
    if (ticket !== this.#head) return false;
    this.#skipSettled();
    return true;
  }

  /** Note that the broker has nothing to deliver below `nextPosition`: what was there is filtered, aborted or compacted away. Going back has no effect. */
  advance(nextPosition: number): void {
    if (nextPosition > this.#received) this.#received = checkedOffset(nextPosition);
  }

  /** The offset at which `position` stands because it has not settled; `undefined` when everything received has. */
  oldestUnsettled(): number | undefined {
    return this.#head === this.#tail ? undefined : this.#offsets[this.#head & this.#mask];
  }

  /** Runs of settled offsets ahead of `position`, ascending; `to` is exclusive. O(offsets from `position` to `received`): for inspection. */
  settledRanges(): readonly (readonly [from: number, to: number])[] {
    const ranges: [from: number, to: number][] = [];
    let open: [from: number, to: number] | undefined;
    for (let ticket = this.#head; ticket < this.#tail; ticket += 1) {
      const slot = ticket & this.#mask;
      const offset = this.#offsets[slot] ?? 0;
      if (this.#states[slot] === UNSETTLED) {
        open = undefined;
      } else if (open === undefined) {
        open = [offset, offset + 1];
        ranges.push(open);
      } else {
        open[1] = offset + 1;
      }
    }
    return ranges;
  }

  #skipSettled(): void {
    let head = this.#head;
    while (head < this.#tail && this.#states[head & this.#mask] === SETTLED) head += 1;
    this.#head = head;
  }

  #grow(): void {
    const slots = (this.#mask + 1) * 2;
    const offsets = new Float64Array(slots);
    const states = new Uint8Array(slots);
    for (let ticket = this.#head; ticket < this.#tail; ticket += 1) {
      offsets[ticket & (slots - 1)] = this.#offsets[ticket & this.#mask] ?? 0;
      states[ticket & (slots - 1)] = this.#states[ticket & this.#mask] ?? UNSETTLED;
    }
    this.#offsets = offsets;
    this.#states = states;
    this.#mask = slots - 1;
  }
}

function checkedOffset(offset: number): number {
  if (Number.isSafeInteger(offset) && offset >= 0) return offset;
  throw new RangeError(`offset must be a safe integer of at least 0, got ${offset}`);
}
