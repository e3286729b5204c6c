interface Mark {
  readonly fromOffset: number;
  readonly atMs: number;
}

/** Remembers when offsets were delivered, one mark per millisecond instead of one per message. */
export class DeliveryTimes {
  #marks: Mark[] = [];

  /** Offsets from `fromOffset` on are delivered at `atMs`; nothing below `oldestOffset` will be asked for. */
  mark(fromOffset: number, atMs: number, oldestOffset: number): void {
    if (this.#marks.at(-1)?.atMs === atMs) return;
    const needed = this.#indexOf(oldestOffset);
    if (needed > 0) this.#marks = this.#marks.slice(needed);
    this.#marks.push({ fromOffset, atMs });
  }

  /** When an offset was delivered; `undefined` for one that was not. */
  at(offset: number): number | undefined {
    return this.#marks[this.#indexOf(offset)]?.atMs;
  }

  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#marks[middle]?.fromOffset ?? offset) <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
