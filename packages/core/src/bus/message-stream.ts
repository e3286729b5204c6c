import type { AnyHandler } from "../contracts/plugin.ts";
import type { HandlerContext, Message } from "../contracts/handler.ts";
import type { Subscription } from "../contracts/subscribe.ts";
import { RetryLater } from "../errors/handler-outcomes.ts";
import type { StreamedMessage } from "./event-bus.ts";

interface Offer {
  readonly streamed: StreamedMessage<unknown>;
  readonly settle: (outcome: "handled" | "givenBack") => void;
}

/**
 * Turns a subscription inside out: handlers hand their message to whoever iterates and wait. Asking for the next
 * message acknowledges the current one; leaving the loop gives it back.
 */
export class MessageStream implements AsyncIterableIterator<StreamedMessage<unknown>> {
  readonly #subscribe: (handler: AnyHandler) => Promise<Subscription>;
  readonly #offers: Offer[] = [];
  #subscription: Promise<Subscription> | undefined;
  #current: Offer | undefined;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(subscribe: (handler: AnyHandler) => Promise<Subscription>) {
    this.#subscribe = subscribe;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<StreamedMessage<unknown>, undefined>> {
    this.#subscription ??= this.#subscribe((message, context) => this.#offer(message, context));
    await this.#subscription;
    this.#current?.settle("handled");
    this.#current = undefined;
    while (!this.#ended) {
      const offer = this.#offers.shift();
      if (offer !== undefined) {
        this.#current = offer;
        return { done: false, value: offer.streamed };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return { done: true, value: undefined };
  }

  /** The loop was left: the current message was not finished, so it is given back. */
  async return(): Promise<IteratorResult<StreamedMessage<unknown>, undefined>> {
    this.finish();
    this.#current?.settle("givenBack");
    this.#current = undefined;
    const subscription = await this.#subscription;
    await subscription?.close();
    return { done: true, value: undefined };
  }

  /** The bus is closing: hand out nothing more; the loop's current message may still be finished. */
  finish(): void {
    this.#ended = true;
    for (const offer of this.#offers.splice(0)) offer.settle("givenBack");
    this.#wake?.();
  }

  #offer(message: Message<unknown>, context: HandlerContext): Promise<void> {
    if (this.#ended) return Promise.reject(streamLeft());
    return new Promise((resolve, reject) => {
      const settle: Offer["settle"] = (outcome) =>
        outcome === "handled" ? resolve() : reject(streamLeft());
      this.#offers.push({ streamed: { message, context }, settle });
      this.#wake?.();
    });
  }
}

/** Keeps the message where it is until its subscription, which is closing, releases it. */
function streamLeft(): RetryLater {
  return new RetryLater({
    afterMs: 1_000,
    reason: "the stream was left before the message was handled",
  });
}
