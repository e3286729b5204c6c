/** Smallest buffer; a power of two, as all sizes are. */
const FIRST_CAPACITY = 16;

/** A buffer that grew beyond this is given back when it empties. */
const KEPT_CAPACITY = 8192;

/** A first-in-first-out list in one buffer: both ends O(1) amortised, nothing allocated per item. */
export class Ring<TItem extends object> {
  #items: (TItem | undefined)[] = Array.from({ length: FIRST_CAPACITY });
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: TItem): void {
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) & (this.#items.length - 1)] = item;
    this.#size++;
  }

  /** The oldest item, or `undefined` when empty. */
  shift(): TItem | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#size--;
    // A burst must not leave its buffer behind.
    if (this.#size === 0 && this.#items.length > KEPT_CAPACITY) this.#reset(FIRST_CAPACITY);
    return item;
  }

  *[Symbol.iterator](): IterableIterator<TItem> {
    for (let index = 0; index < this.#size; index++) {
      const item = this.#items[(this.#head + index) & (this.#items.length - 1)];
      if (item !== undefined) yield item;
    }
  }

  #grow(): void {
    const items = [...this];
    this.#reset(this.#items.length * 2);
    for (const [index, item] of items.entries()) this.#items[index] = item;
    this.#size = items.length;
  }

  #reset(capacity: number): void {
    this.#items = Array.from({ length: capacity });
    this.#head = 0;
    this.#size = 0;
  }
}
