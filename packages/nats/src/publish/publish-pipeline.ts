import { BusClosedError, BusError } from "@bus/core";
import type { Clock, OutgoingMessage, PublishReceipt } from "@bus/core";
import { messageSizeBytes } from "@bus/core/adapter";
import type { ResolvedPublishOptions } from "../nats-options.ts";
import { PendingMessage } from "./pending-message.ts";
import { PublishCall } from "./publish-call.ts";
import { bufferFullError, lateError, overtakenError, unknownError } from "./publish-errors.ts";
import type { PublishPort } from "./publish-port.ts";
import type { SubjectLane } from "./subject-lane.ts";
import { SubjectLanes } from "./subject-lanes.ts";
import type { SubjectRoute } from "./subject-lanes.ts";
import { Transmitter } from "./transmitter.ts";

/** How often deadlines are looked at. */
const SWEEP_MS = 100;
/** Share of the window that has to become free before what waits follows: few large writes cost less than many small ones. */
const REFILL_SHARE = 8;
/** How long an answer may take before it counts as lost: the question that follows does no harm when it is only late. */
const ANSWER_TIMEOUT_MS = 2_000;

/** What a pipeline needs. */
export interface PublishPipelineParts {
  readonly port: PublishPort;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly options: ResolvedPublishOptions;
  /** Where a message goes. A `BusError` thrown is the message's outcome. */
  readonly route: (message: OutgoingMessage) => SubjectRoute;
  /** Begins every message id; unlike that of any other pipeline, in any process, within the duplicate window. */
  readonly idPrefix: string;
}

/** What a pipeline has done and is doing. */
export interface PublishStats {
  /** Accepted and without an outcome. */
  readonly pendingMessages: number;
  readonly pendingBytes: number;
  /** Transmissions whose answer is due. */
  readonly outMessages: number;
  /** Acknowledged although the stream had them already: the first acknowledgement was lost, or the user's own id was used before. */
  readonly duplicates: number;
  /** Messages that failed since a later one of their key was stored. */
  readonly overtaken: number;
}

/**
 * Publishes to a stream with many messages on their way, each with an outcome: stored, not stored, or unknown when its
 * deadline has passed.
 *
 * A message keeps one id through all transmissions, so a stream stores it once within its duplicate window, and messages
 * of one subject and key are stored in the order of calls (see `SubjectLane`).
 */
export class PublishPipeline {
  readonly #parts: PublishPipelineParts;
  readonly #transmitter: Transmitter;
  readonly #lanes: SubjectLanes;
  #isConnected = true;
  #isClosed = false;
  #isPumping = false;
  /** Answers since something was last sent. */
  #freed = 0;
  #orders = 0;
  #pendingMessages = 0;
  #pendingBytes = 0;
  #overtaken = 0;
  #cancelSweep: (() => void) | undefined;
  #onEmpty: (() => void)[] = [];

  constructor(parts: PublishPipelineParts) {
    this.#parts = parts;
    const { route, random } = parts;
    const overtaken = (late: PendingMessage): void => {
      this.#overtaken += 1;
      this.#failed(late, overtakenError(late.message));
    };
    this.#lanes = new SubjectLanes({ route, random, overtaken });
    this.#transmitter = new Transmitter({
      port: parts.port,
      window: parts.options.window,
      idPrefix: parts.idPrefix,
      nowMs: () => parts.clock.monotonicMs(),
      stored: (message, sequence) => this.#stored(message, sequence),
      failed: (message, error) => this.#failed(message, error),
      moved: ({ lane }) => {
        this.#lanes.list(lane);
        this.#freed += 1;
        // As long as most of the window is out, more answers are on their way; a sweep ends the wait in any case.
        const { window } = parts.options;
        if (this.#freed * REFILL_SHARE >= window || this.#transmitter.outMessages * 2 < window)
          this.#pump();
      },
    });
  }

  get stats(): PublishStats {
    return {
      pendingMessages: this.#pendingMessages,
      pendingBytes: this.#pendingBytes,
      outMessages: this.#transmitter.outMessages,
      duplicates: this.#transmitter.duplicates,
      overtaken: this.#overtaken,
    };
  }

  /**
   * Store messages; see the contract of `Publisher.publish`.
   *
   * @throws BusTransportError `BUS_OUTCOME_UNKNOWN` when the deadline passed and the message may be stored;
   *   `BUS_PUBLISH_FAILED` when it is not stored, also since a later message of its key is (`details.reason` `overtaken`).
   */
  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    if (this.#isClosed)
      return Promise.reject(new BusClosedError("the transport is closed: it publishes no more"));
    if (messages.length === 0) return Promise.resolve([]);
    const call = new PublishCall(messages.length);
    const nowMs = this.#parts.clock.monotonicMs();
    for (let index = 0; index < messages.length; index += 1) {
      const message = messages[index];
      if (message !== undefined) this.#accept(message, { call, index, nowMs });
    }
    this.#pump();
    return call.receipts;
  }

  /** The connection is lost: what was not acknowledged may be stored or not. Messages are accepted meanwhile. */
  disconnected(): void {
    this.#isConnected = false;
    const nowMs = this.#parts.clock.monotonicMs();
    for (const lane of this.#lanes.all())
      for (const message of lane.out()) this.#transmitter.giveUp(message, nowMs, "unanswered");
  }

  /** The connection is back: go on at once. */
  reconnected(): void {
    this.#isConnected = true;
    const nowMs = this.#parts.clock.monotonicMs();
    for (const lane of this.#lanes.all()) {
      lane.wake(nowMs);
      this.#lanes.list(lane);
    }
    this.#pump();
  }

  /** The server refuses a subject for good, as for want of a permission: what is pending for it fails. */
  refuse(subject: string, error: BusError): void {
    const lane = this.#lanes.find(subject);
    if (lane !== undefined) this.#drop(lane, () => error);
  }

  /**
   * Accept no more, wait for the outcomes of what was accepted, then end what is left: `BUS_CLOSED` for what was not
   * stored, `BUS_OUTCOME_UNKNOWN` for the rest. Idempotent.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    await this.#emptied(timeoutMs);
    for (const lane of this.#lanes.all())
      this.#drop(lane, (message) =>
        mayBeStored(message)
          ? unknownError(message.message)
          : new BusClosedError(
              `the transport was closed before a message for ${message.message.topic} was stored`,
            ),
      );
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    this.#parts.port.close();
  }

  #accept(
    message: OutgoingMessage,
    place: { call: PublishCall; index: number; nowMs: number },
  ): void {
    const { call, index, nowMs } = place;
    const { options } = this.#parts;
    const sizeBytes = messageSizeBytes(message);
    if (options.onFull === "reject" && !this.#hasRoomFor(sizeBytes))
      return call.failed(index, bufferFullError(message, this.stats));
    const lane = this.#lanes.of(message);
    if (BusError.is(lane)) return call.failed(index, lane);
    this.#orders += 1;
    this.#pendingMessages += 1;
    this.#pendingBytes += sizeBytes;
    const deadlineAtMs = nowMs + options.timeoutMs;
    const order = this.#orders;
    lane.accept(new PendingMessage(message, { lane, call, index, sizeBytes, deadlineAtMs, order }));
    this.#lanes.list(lane);
    this.#sweepLater();
  }

  #hasRoomFor(sizeBytes: number): boolean {
    const { maxPendingMessages, maxPendingBytes } = this.#parts.options;
    if (this.#pendingMessages === 0) return true;
    return (
      this.#pendingMessages < maxPendingMessages &&
      this.#pendingBytes + sizeBytes <= maxPendingBytes
    );
  }

  #pump(): void {
    if (!this.#isConnected || this.#isPumping) return;
    this.#isPumping = true;
    this.#freed = 0;
    const nowMs = this.#parts.clock.monotonicMs();
    while (this.#transmitter.hasRoom) {
      const message = this.#lanes.take();
      if (message === undefined) break;
      this.#transmitter.transmit(message, nowMs);
      // What could not be sent may have left its lane with something else to send.
      if (!message.isOut) this.#lanes.list(message.lane);
    }
    this.#isPumping = false;
  }

  #stored({ message, call, index, lane, sizeBytes }: PendingMessage, sequence: number): void {
    call.stored(index, {
      topic: message.topic,
      partition: lane.partition,
      offset: BigInt(sequence),
    });
    this.#ended(sizeBytes);
  }

  #failed({ call, index, sizeBytes }: PendingMessage, error: BusError): void {
    call.failed(index, error);
    this.#ended(sizeBytes);
  }

  #ended(sizeBytes: number): void {
    this.#pendingMessages -= 1;
    this.#pendingBytes -= sizeBytes;
    if (this.#pendingMessages > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #drop(lane: SubjectLane, error: (message: PendingMessage) => BusError): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (let { oldest } = lane; oldest !== undefined; { oldest } = lane) {
      this.#transmitter.forget(oldest);
      const reason = error(oldest);
      lane.ended(oldest, nowMs);
      this.#failed(oldest, reason);
    }
  }

  async #emptied(timeoutMs: number): Promise<void> {
    if (this.#pendingMessages === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#parts.clock.schedule(resolve, timeoutMs);
      this.#onEmpty.push(() => {
        cancel();
        resolve();
      });
    });
  }

  #sweepLater(): void {
    this.#cancelSweep ??= this.#parts.clock.schedule(() => {
      this.#cancelSweep = undefined;
      const nowMs = this.#parts.clock.monotonicMs();
      for (const lane of this.#lanes.all()) this.#sweep(lane, nowMs);
      this.#lanes.prune();
      this.#pump();
      if (this.#pendingMessages > 0) this.#sweepLater();
    }, SWEEP_MS);
  }

  #sweep(lane: SubjectLane, nowMs: number): void {
    const { timeoutMs } = this.#parts.options;
    for (
      let { oldest } = lane;
      oldest !== undefined && oldest.deadlineAtMs <= nowMs;
      { oldest } = lane
    ) {
      const late = oldest;
      this.#transmitter.forget(late);
      const error = mayBeStored(late)
        ? unknownError(late.message)
        : lateError(late.message, timeoutMs);
      lane.ended(late, nowMs);
      this.#failed(late, error);
    }
    for (const message of lane.out())
      if (message.sentAtMs + ANSWER_TIMEOUT_MS <= nowMs)
        this.#transmitter.giveUp(message, nowMs, "unanswered");
    lane.tick(nowMs);
    this.#lanes.list(lane);
  }
}

function mayBeStored({ state }: PendingMessage): boolean {
  return state === "sent" || state === "asked" || state === "unknown";
}
