/** A first-in-first-out list: both ends O(1) amortised, and memory is given back as it empties. */
export class Fifo<TItem extends object> {
  #items: (TItem | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: TItem): void {
    this.#items.push(item);
  }

  /** The oldest item, or `undefined` when empty. */
  shift(): TItem | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head] = undefined;
    this.#head++;
    if (this.#head === this.#items.length) this.#reset([]);
    else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length)
      this.#reset(this.#items.slice(this.#head));
    return item;
  }

  #reset(items: (TItem | undefined)[]): void {
    this.#items = items;
    this.#head = 0;
  }
}
