import type { OutgoingMessage } from "@bus/core";
import type { PublishCall } from "./publish-call.ts";
import type { OutgoingFrame } from "./publish-port.ts";
import type { SubjectLane } from "./subject-lane.ts";

/**
 * What is known of a message.
 *
 * - `waiting`: never sent.
 * - `sent`: on its way, the answer is due.
 * - `asked`: a question whether it is stored is on its way.
 * - `refused`: not stored, for certain.
 * - `unknown`: sent, and no answer will come.
 * - `ended`: its call has the outcome.
 */
export type PendingState = "waiting" | "sent" | "asked" | "refused" | "unknown" | "ended";

const NOTHING = new Uint8Array(0);

/** One message of a call until it has an outcome: one object a message, which is also what goes to the connection. */
export class PendingMessage implements OutgoingFrame {
  readonly message: OutgoingMessage;
  readonly lane: SubjectLane;
  readonly call: PublishCall;
  readonly index: number;
  readonly sizeBytes: number;
  readonly deadlineAtMs: number;
  /** Number among all messages of the pipeline, in the order of calls. */
  readonly order: number;
  state: PendingState = "waiting";
  /** A later message of its key is stored: storing this one now would break the order. */
  isOvertaken = false;
  ticket = -1;
  /** When its transmission went out, monotonic. */
  sentAtMs = 0;
  headerBlock: Uint8Array = NOTHING;
  payload: Uint8Array = NOTHING;
  previous: PendingMessage | undefined;
  next: PendingMessage | undefined;

  constructor(message: OutgoingMessage, place: PendingPlace) {
    this.message = message;
    this.lane = place.lane;
    this.call = place.call;
    this.index = place.index;
    this.sizeBytes = place.sizeBytes;
    this.deadlineAtMs = place.deadlineAtMs;
    this.order = place.order;
  }

  get subject(): string {
    return this.lane.subject;
  }

  /** Whether an answer is due. */
  get isOut(): boolean {
    return this.state === "sent" || this.state === "asked";
  }

  /** Whether both have a key, and the same. */
  sharesKeyWith(other: PendingMessage): boolean {
    const { key } = this.message;
    const otherKey = other.message.key;
    return key !== null && otherKey !== null && Buffer.compare(key, otherKey) === 0;
  }
}

/** Where a message belongs. */
export interface PendingPlace {
  readonly lane: SubjectLane;
  readonly call: PublishCall;
  readonly index: number;
  readonly sizeBytes: number;
  readonly deadlineAtMs: number;
  readonly order: number;
}
