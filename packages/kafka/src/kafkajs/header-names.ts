const SLOTS = 64;
const LONGEST_BYTES = 64;

interface Slot {
  readonly bytes: Buffer;
  readonly text: string;
}

/**
 * Header names that were read before, so that a name which stands in every message is decoded once.
 *
 * Bounded: 64 slots, a name longer than 64 bytes is not kept, and a name that falls into a taken slot replaces its
 * holder.
 */
export class HeaderNames {
  readonly #slots: (Slot | undefined)[] = Array.from({ length: SLOTS }, () => undefined);

  /** The UTF-8 text of `bytes[start, start + length)`, which must lie inside `bytes`. */
  read(bytes: Buffer, start: number, length: number): string {
    if (length === 0 || length > LONGEST_BYTES)
      return bytes.toString("utf8", start, start + length);
    const first = bytes[start] ?? 0;
    const last = bytes[start + length - 1] ?? 0;
    const index = (first + 7 * last + 31 * length) % SLOTS;
    const slot = this.#slots[index];
    if (slot !== undefined && holds(slot.bytes, bytes, { start, length })) return slot.text;
    const text = bytes.toString("utf8", start, start + length);
    this.#slots[index] = { bytes: Buffer.from(bytes.subarray(start, start + length)), text };
    return text;
  }
}

function holds(
  name: Buffer,
  bytes: Buffer,
  at: { readonly start: number; readonly length: number },
): boolean {
  if (name.length !== at.length) return false;
  for (let index = 0; index < at.length; index += 1) {
    if (name[index] !== bytes[at.start + index]) return false;
  }
  return true;
}
