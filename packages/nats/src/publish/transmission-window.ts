import type { PendingMessage } from "./pending-message.ts";

/** What is left of a ticket beside its place counts the uses of the place: with 1,024 places two million. */
const TICKET_BITS = 31;

/** Transmissions whose answer is due, by ticket, in a fixed number of places. */
export class TransmissionWindow {
  bytes = 0;
  readonly #size: number;
  readonly #placeBits: number;
  readonly #messages: (PendingMessage | undefined)[];
  /** How often each place was used, part of its ticket: a late answer does not meet the next user of the place. */
  readonly #uses: Uint32Array;
  readonly #free: Uint32Array;
  #freeCount: number;

  /** @param size - Places, at least 1. */
  constructor(size: number) {
    this.#size = size;
    this.#placeBits = Math.ceil(Math.log2(Math.max(size, 2)));
    this.#messages = Array.from({ length: size });
    this.#uses = new Uint32Array(size);
    this.#free = Uint32Array.from({ length: size }, (_, index) => size - 1 - index);
    this.#freeCount = size;
  }

  get count(): number {
    return this.#size - this.#freeCount;
  }

  get isFull(): boolean {
    return this.#freeCount === 0;
  }

  /** Give a message a place, and its ticket. The window must not be full. */
  enter(message: PendingMessage): void {
    this.#freeCount -= 1;
    const place = this.#free[this.#freeCount] ?? 0;
    const use = ((this.#uses[place] ?? 0) + 1) & ((1 << (TICKET_BITS - this.#placeBits)) - 1);
    this.#uses[place] = use;
    this.#messages[place] = message;
    this.bytes += message.sizeBytes;
    message.ticket = (use << this.#placeBits) | place;
  }

  /** The message that waits for an answer with this ticket; none for a late or foreign one. */
  at(ticket: number): PendingMessage | undefined {
    const message = this.#messages[ticket & ((1 << this.#placeBits) - 1)];
    return message?.ticket === ticket ? message : undefined;
  }

  /** Free the place of a message; nothing when it has none. */
  leave(message: PendingMessage): void {
    if (message.ticket < 0) return;
    const place = message.ticket & ((1 << this.#placeBits) - 1);
    message.ticket = -1;
    this.#messages[place] = undefined;
    this.bytes -= message.sizeBytes;
    this.#free[this.#freeCount] = place;
    this.#freeCount += 1;
  }
}
