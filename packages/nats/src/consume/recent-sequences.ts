/** The last few thousand sequences that were added. */
export class RecentSequences {
  static readonly CAPACITY = 16_384;
  readonly #known = new Set<number>();
  readonly #ring = new Float64Array(RecentSequences.CAPACITY);
  #next = 0;
  #size = 0;

  add(sequence: number): void {
    const slot = this.#next;
    if (this.#size === RecentSequences.CAPACITY) this.#known.delete(this.#ring[slot] ?? -1);
    else this.#size += 1;
    this.#ring[slot] = sequence;
    this.#next = (slot + 1) % RecentSequences.CAPACITY;
    this.#known.add(sequence);
  }

  has(sequence: number): boolean {
    return this.#known.has(sequence);
  }
}
