import type { PendingMessage } from "./pending-message.ts";

/** Consumed slots at which the array of the list is cut. */
const COMPACT_AT = 1_024;

/** Messages that wait, in order. */
export class WaitingMessages {
  #messages: PendingMessage[] = [];
  #head = 0;

  get first(): PendingMessage | undefined {
    return this.#messages[this.#head];
  }

  push(message: PendingMessage): void {
    this.#messages.push(message);
  }

  shift(): PendingMessage | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#head = 0;
    } else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
    return first;
  }
}
