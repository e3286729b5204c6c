/**
 * Reads the zigzag varints of record batches at a moving position.
 *
 * @throws RangeError from every read that would pass the end of the view or meets an overlong number.
 */
export class VarintReader {
  /** Index of the next byte to read. */
  at: number;
  readonly #view: DataView;

  /** Reads `bytes[at, end)`. */
  constructor(bytes: Uint8Array, at: number, end: number) {
    this.at = at;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, end);
  }

  /**
   * Pass over `length` bytes.
   *
   * @returns Where they began.
   */
  skip(length: number): number {
    const start = this.at;
    const end = start + length;
    if (length < 0 || end > this.#view.byteLength) throw new RangeError(`a length is ${length}`);
    this.at = end;
    return start;
  }

  /** A 32-bit number: lengths, counts and offset deltas. */
  readVarint(): number {
    const view = this.#view;
    let at = this.at;
    let byte = view.getUint8(at++);
    let value = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) throw new RangeError("a varint is longer than 5 bytes");
      byte = view.getUint8(at++);
      value |= (byte & 0x7f) << shift;
    }
    this.at = at;
    return (value >>> 1) ^ -(value & 1);
  }

  /** A 64-bit number: timestamp deltas. Exact up to 2^53, which as milliseconds is the year 287396. */
  readVarlong(): number {
    const view = this.#view;
    let at = this.at;
    let byte = view.getUint8(at++);
    // The lowest bit is the sign; the rest is summed as a float, which a 32-bit operation would cut.
    const isNegative = (byte & 1) === 1;
    let value = (byte & 0x7f) >>> 1;
    for (let factor = 0x40; byte > 0x7f; factor *= 0x80) {
      if (factor > 2 ** 62) throw new RangeError("a varlong is longer than 10 bytes");
      byte = view.getUint8(at++);
      value += (byte & 0x7f) * factor;
    }
    this.at = at;
    return isNegative ? -value - 1 : value;
  }
}
