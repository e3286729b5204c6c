/**
 * Reads the fixed-size fields of Kafka's protocol (before its flexible versions) at a moving position.
 *
 * @throws RangeError from every read that would pass the end.
 */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  int64(): bigint {
    const value = this.#bytes.readBigInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  /** A view; no bytes for a length of -1 (null). */
  bytes(length: number = this.int32()): Buffer {
    if (length > this.#bytes.length - this.#at)
      throw new RangeError(`${length} bytes announced, ${this.#bytes.length - this.#at} left`);
    const start = this.#at;
    this.#at += Math.max(length, 0);
    return this.#bytes.subarray(start, this.#at);
  }

  string(): string {
    return this.bytes(this.int16()).toString("utf8");
  }

  array<TItem>(readItem: (reader: this) => TItem): TItem[] {
    const count = this.int32();
    const items: TItem[] = [];
    while (items.length < count) items.push(readItem(this));
    return items;
  }
}
