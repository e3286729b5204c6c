import type { ReceivedMessage } from "./nats-delivery.ts";

/** Bytes of messages that may wait in one process for room, per partition. */
const MOST_BYTES = 4_194_304;
const MOST_MESSAGES = 512;
/** Share of a new size in the running mean. */
const WEIGHT = 0.05;

/** Messages that have come and wait for room, first in, first out; it says how many it likes to have. */
export class MessageQueue implements Iterable<ReceivedMessage> {
  #messages: (ReceivedMessage | undefined)[] = [];
  #head = 0;
  #meanBytes = 256;

  get length(): number {
    return this.#messages.length - this.#head;
  }

  /** Messages that fill the queue, those in it counted: bounded in number and, by their mean size, in bytes. */
  get capacity(): number {
    return Math.max(1, Math.min(MOST_MESSAGES, Math.floor(MOST_BYTES / this.#meanBytes)));
  }

  *[Symbol.iterator](): Iterator<ReceivedMessage> {
    for (const message of this.#messages) if (message !== undefined) yield message;
  }

  first(): ReceivedMessage | undefined {
    return this.#messages[this.#head];
  }

  push(received: ReceivedMessage): void {
    this.#meanBytes += (received.sizeBytes - this.#meanBytes) * WEIGHT;
    this.#messages.push(received);
  }

  dropFirst(): void {
    this.#messages[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#messages.length) this.clear();
  }

  clear(): void {
    this.#messages = [];
    this.#head = 0;
  }
}
