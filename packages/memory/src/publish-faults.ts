import type { BusError, OutgoingMessage } from "@bus/core";
import { BusTransportError } from "@bus/core";

/** Which publishes fail, and how. */
export interface PublishFault {
  /** So many messages fail, then the fault is over. @defaultValue every message until the fault is removed */
  readonly times?: number;
  /** Only these messages fail. @defaultValue all */
  readonly predicate?: (message: OutgoingMessage) => boolean;
  /** What the publisher gets. @defaultValue `BUS_PUBLISH_FAILED`, or `BUS_OUTCOME_UNKNOWN` when the message is stored */
  readonly error?: BusError;
  /** Store the message although the publish fails, as when the broker's answer is lost. @defaultValue false */
  readonly stored?: boolean;
}

/** What happens to one message. */
export interface InjectedFailure {
  readonly error: BusError;
  readonly stored: boolean;
}

/** The publish faults of one broker. */
export class PublishFaults {
  readonly #active = new Map<PublishFault, number>();

  /** Whether any fault is active: the hot path asks nothing else. */
  get any(): boolean {
    return this.#active.size > 0;
  }

  /** Returns a function that removes the fault (idempotent). */
  add(fault: PublishFault): () => void {
    // A copy: the same object may be added twice.
    const own = { ...fault };
    this.#active.set(own, fault.times ?? Number.POSITIVE_INFINITY);
    return () => void this.#active.delete(own);
  }

  /** The failure of a message, from the oldest fault that means it. */
  failureOf(message: OutgoingMessage): InjectedFailure | undefined {
    for (const [fault, left] of this.#active) {
      if (fault.predicate?.(message) === false) continue;
      if (left <= 1) this.#active.delete(fault);
      else this.#active.set(fault, left - 1);
      return {
        error: fault.error ?? defaultError(message, fault.stored === true),
        stored: fault.stored === true,
      };
    }
    return undefined;
  }
}

function defaultError({ topic }: OutgoingMessage, isStored: boolean): BusError {
  const details = { topic };
  if (!isStored)
    return new BusTransportError("BUS_PUBLISH_FAILED", `a message to ${topic} was made to fail`, {
      details,
    });
  return new BusTransportError(
    "BUS_OUTCOME_UNKNOWN",
    `the answer for a message to ${topic} was made to get lost`,
    { details },
  );
}
