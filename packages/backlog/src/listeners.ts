import type { Logger } from "@bus/core";

/**
 * Functions of users that want to hear of something. What they throw or reject is logged and felt by nobody; nobody
 * waits for what they return.
 */
export class Listeners<TEvent> {
  readonly #name: string;
  readonly #logger: Logger;
  readonly #listeners = new Set<(event: TEvent) => unknown>();

  constructor(name: string, logger: Logger) {
    this.#name = name;
    this.#logger = logger;
  }

  /** Returns a function that unsubscribes. */
  add(listener: (event: TEvent) => unknown): () => void {
    // Of its own, so that one function may listen twice and leave once.
    const own = (event: TEvent): unknown => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  tell(event: TEvent): void {
    for (const listener of Array.from(this.#listeners)) void this.#call(listener, event);
  }

  async #call(listener: (event: TEvent) => unknown, event: TEvent): Promise<void> {
    try {
      await listener(event);
    } catch (error) {
      this.#logger.error(`a listener of ${this.#name} failed`, { error });
    }
  }
}
