import type { Delivery } from "@bus/core";
import type { Intake } from "./intake.ts";
import type { Lane } from "./lane.ts";

/** Entries that are kept for later messages. */
const MAX_SPARE = 4096;

/** A message that waits for a handler: a link of its lane's mailbox, or on its own when it needs no lane. */
export class QueuedMessage {
  /** `undefined` once it has been taken out. */
  delivery: Delivery | undefined;
  intake: Intake | undefined;
  /** On the monotonic clock. */
  queuedAtMs = 0;
  /** Of a direct message: what counts the overlapping runs of its aggregate. */
  lane: Lane | undefined;
  /** The message behind it in its mailbox. */
  next: QueuedMessage | undefined;
}

/** Hands out entries and takes them back, so that queueing a message allocates nothing once warm. */
export class QueuedMessages {
  readonly #spare: QueuedMessage[] = [];

  take(intake: Intake, delivery: Delivery, nowMs: number): QueuedMessage {
    const entry = this.#spare.pop() ?? new QueuedMessage();
    entry.intake = intake;
    entry.delivery = delivery;
    entry.queuedAtMs = nowMs;
    return entry;
  }

  giveBack(entry: QueuedMessage): void {
    entry.intake = undefined;
    entry.delivery = undefined;
    entry.lane = undefined;
    entry.next = undefined;
    if (this.#spare.length < MAX_SPARE) this.#spare.push(entry);
  }
}
