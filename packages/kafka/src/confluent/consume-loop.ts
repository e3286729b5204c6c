import type { Clock } from "@bus/core";
import type { NativeConsumer, NativeError, NativeMessage } from "./confluent-client-types.ts";

/** Most records of one call. */
const BATCH_MESSAGES = 1_000;
/** How long a call waits for the first record while nothing tells when there is one; it holds one of Node's threads. */
const WAIT_FOR_RECORDS_MS = 20;
/** A look even though nothing was announced; also keeps the member alive for `max.poll.interval.ms`. */
const LOOK_ANYWAY_MS = 250;
/** While nothing should be read: rebalances must be heard of. */
const LOOK_WHILE_STILL_MS = 100;
/** While nothing should be read, but an answer to a commit is on its way. */
const LOOK_FOR_ANSWER_MS = 5;

/** What a loop needs. */
export interface ConsumeLoopParts {
  readonly clock: Clock;
  readonly client: NativeConsumer;
  /** What is to be read now. */
  readonly pace: () => "reading" | "still" | "awaitingAnswer";
  readonly onMessages: (messages: readonly NativeMessage[]) => void;
  readonly onError: (error: NativeError) => void;
}

/**
 * Takes records out of the client, and with them everything else that it tells only to who polls: rebalances, answers
 * to commits, ends of partitions.
 *
 * It goes on at once as long as there is something, then waits until `announced` is called, which the client does when
 * its queue is not empty any more. Until that has happened once, it waits inside the client.
 */
export class ConsumeLoop {
  readonly #parts: ConsumeLoopParts;
  #isRunning = false;
  #isAnnounced = false;
  #isAsking = false;
  #hearsAnnouncements = false;
  #cancelLook: (() => void) | undefined;
  #onStopped: (() => void) | undefined;

  constructor(parts: ConsumeLoopParts) {
    this.#parts = parts;
    parts.client.setDefaultConsumeTimeout(WAIT_FOR_RECORDS_MS);
    parts.client.setDefaultIsTimeoutOnlyForFirstMessage(true);
  }

  start(): void {
    this.#isRunning = true;
    this.#ask();
  }

  /** Something waits in the client. */
  announced(): void {
    if (!this.#hearsAnnouncements) this.#stopWaitingInside();
    this.#isAnnounced = true;
    if (this.#parts.pace() === "reading") this.#ask();
  }

  /** The pace may have changed. */
  wake(): void {
    this.#ask();
  }

  /** Resolves when no call is running any more. Idempotent. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#cancelLook?.();
    if (!this.#isAsking) return;
    await new Promise<void>((resolve) => (this.#onStopped = resolve));
  }

  #stopWaitingInside(): void {
    this.#hearsAnnouncements = true;
    this.#parts.client.setDefaultConsumeTimeout(0);
    this.#parts.client.setDefaultIsTimeoutOnlyForFirstMessage(false);
  }

  #ask(): void {
    if (!this.#isRunning || this.#isAsking) return;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.#isAsking = true;
    this.#isAnnounced = false;
    this.#parts.client.consume(BATCH_MESSAGES, (error, messages) =>
      this.#answered(error, messages),
    );
  }

  #answered(error: NativeError | null | undefined, messages: readonly NativeMessage[]): void {
    try {
      if (error === null || error === undefined) this.#parts.onMessages(messages);
      else if (this.#isRunning) this.#parts.onError(error);
    } finally {
      this.#isAsking = false;
      const isMore = error === null || error === undefined ? messages.length > 0 : true;
      this.#goOn(isMore);
    }
  }

  #goOn(isMore: boolean): void {
    if (!this.#isRunning) {
      this.#onStopped?.();
      return;
    }
    const pace = this.#parts.pace();
    if (pace === "awaitingAnswer") this.#lookAfter(LOOK_FOR_ANSWER_MS);
    else if (pace === "still") this.#lookAfter(LOOK_WHILE_STILL_MS);
    else if (isMore || this.#isAnnounced || !this.#hearsAnnouncements) this.#ask();
    else this.#lookAfter(LOOK_ANYWAY_MS);
  }

  #lookAfter(delayMs: number): void {
    this.#cancelLook = this.#parts.clock.schedule(() => this.#ask(), delayMs);
  }
}
