import { BusTransportError, publishError } from "@bus/core";
import type { BusError, Clock, OutgoingMessage, PublishReceipt } from "@bus/core";

type Store = (messages: readonly OutgoingMessage[]) => readonly PublishReceipt[];

interface WaitingPublish {
  readonly messages: readonly OutgoingMessage[];
  /** Store the messages and tell the caller. */
  store(store: Store): void;
  fail(error: BusError): void;
}

/** Publishes that wait, in order, for a connection that was cut. */
export class WaitingPublishes {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<WaitingPublish>();

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Wait for `flush`. Rejects when the time is over before, or with what `failAll` says. */
  add(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        cancelTimer();
        this.#waiting.delete(waiting);
      };
      const waiting: WaitingPublish = {
        messages,
        store: (store) => {
          leave();
          try {
            resolve(store(messages));
          } catch (error) {
            reject(error);
          }
        },
        fail: (error) => {
          leave();
          reject(publishError(messages.map(() => ({ kind: "failed", error }))));
        },
      };
      const cancelTimer = this.#clock.schedule(() => waiting.fail(notStored()), this.#timeoutMs);
      this.#waiting.add(waiting);
    });
  }

  /** The connection is back. */
  flush(store: Store): void {
    for (const waiting of this.#waiting) waiting.store(store);
  }

  failAll(error: BusError): void {
    for (const waiting of this.#waiting) waiting.fail(error);
  }
}

function notStored(): BusError {
  return new BusTransportError(
    "BUS_PUBLISH_FAILED",
    "the connection to the broker was cut for longer than publishTimeoutMs",
  );
}
