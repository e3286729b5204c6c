import { RELEASE } from "@bus/core";
import type { Clock, Deliver, Logger, PartitionState, Settlement } from "@bus/core";
import { OffsetTracker } from "@bus/core/adapter";
import type { GateShare, InFlightGate } from "@bus/core/adapter";
import type { DeliveryLoop, DeliverySource } from "./delivery-loop.ts";
import { DeliveryTimes } from "./delivery-times.ts";
import { MemoryDelivery } from "./memory-delivery.ts";
import type { DeliveryOwner, DeliveryTicket } from "./memory-delivery.ts";
import type { LogReader, PartitionLog } from "./partition-log.ts";
import { OpenDeliveries } from "./open-deliveries.ts";
import { BLOCK, KEEPS_BACK_REDELIVERIES, pauseReasonsOf } from "./read-blocks.ts";
import { RedeliveryQueue } from "./redelivery-queue.ts";

/** What every reader of one member shares. */
export interface ReaderParts {
  readonly loop: DeliveryLoop;
  readonly gate: InFlightGate;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxUncommittedMessages: number;
  readonly deliver: Deliver;
  /** The position of a reader has moved: there is something to commit. */
  readonly onMoved: (reader: PartitionReader) => void;
  readonly onWarning: (message: string, details: Readonly<Record<string, unknown>>) => void;
}

/** Pause before a message comes again that was given back although its partition stays: whoever gave it back needs a moment. */
const RELEASED_AGAIN_MS = 10;

/** Reads one partition under one ownership of it: delivers, tracks, redelivers, drains, and is void afterwards. */
export class PartitionReader implements LogReader, DeliverySource, DeliveryOwner {
  readonly log: PartitionLog;
  listed = false;
  /** Whether the position has moved since it was committed. */
  hasMoved = false;
  readonly #parts: ReaderParts;
  readonly #tracker: OffsetTracker;
  readonly #share: GateShare;
  readonly #redeliveries: RedeliveryQueue;
  readonly #times = new DeliveryTimes();
  readonly #open = new OpenDeliveries();
  #blockedBy = 0;

  /** @param position - The first offset to deliver. */
  constructor(log: PartitionLog, position: number, parts: ReaderParts) {
    this.log = log;
    this.#parts = parts;
    this.#tracker = new OffsetTracker(position);
    this.#share = parts.gate.share(() => this.unblock(BLOCK.inFlight));
    this.#redeliveries = new RedeliveryQueue(parts.clock, () => this.#list());
    log.readers.push(this);
  }

  get topic(): string {
    return this.log.topic;
  }

  get partition(): number {
    return this.log.partition;
  }

  get draining(): AbortSignal {
    return this.#open.draining;
  }

  get signal(): AbortSignal {
    return this.#open.signal;
  }

  /** The offset that may be committed: the next one to deliver after a restart. */
  get position(): number {
    return this.#tracker.position;
  }

  /** Deliveries that have not settled. */
  get outstanding(): number {
    return this.#open.count;
  }

  get ready(): boolean {
    if (this.#blockedBy === 0 && this.#tracker.received < this.log.next) return true;
    return this.#mayRedeliver && this.#redeliveries.isDue;
  }

  wake(): void {
    if (this.#blockedBy === 0) this.#parts.loop.add(this);
  }

  /** Read nothing new for this reason, one of `BLOCK`. */
  block(reason: number): void {
    this.#blockedBy |= reason;
  }

  /** A reason not to read is gone; the others still count. */
  unblock(reason: number): void {
    this.#blockedBy &= ~reason;
    if (this.ready) this.#parts.loop.add(this);
  }

  deliverSome(max: number): number {
    let delivered = 0;
    try {
      if (this.#redeliveries.size > 0) delivered = this.#redeliver(max);
      delivered += this.#read(max - delivered);
    } catch (error) {
      // The contract says that deliver never throws; one that does must not stop the other partitions.
      this.#parts.logger.error("a receiver of deliveries threw", {
        topic: this.topic,
        partition: this.partition,
        error,
      });
    }
    return delivered;
  }

  settled(delivery: MemoryDelivery, settlement: Settlement): void {
    if (this.#open.isOver) return;
    switch (settlement.kind) {
      case "ack":
        this.#acknowledge(delivery);
        break;
      case "nack":
        this.#deliverAgain(delivery, delivery.attempt + 1, settlement.redeliverAfterMs);
        break;
      case "release":
        this.#deliverAgain(delivery, delivery.attempt, RELEASED_AGAIN_MS);
        break;
      default:
        throw new TypeError(`unknown settlement ${String(settlement satisfies never)}`);
    }
    this.#open.settled();
  }

  /** Deliver nothing any more and let what waits be given back; resolves when every delivery has settled or `end` was called. */
  drain(): Promise<void> {
    this.block(BLOCK.draining);
    this.#redeliveries.clear();
    return this.#open.drain();
  }

  /** End the ownership: handlers that still run must stop, and what they settle from now on is ignored. Idempotent. */
  end(): void {
    if (this.#open.isOver) return;
    void this.drain();
    this.log.readers.splice(this.log.readers.indexOf(this), 1);
    this.#parts.loop.remove(this);
    this.#share.close();
    this.#open.end();
  }

  state(committed: number | undefined): PartitionState {
    const oldest = this.#tracker.oldestUnsettled();
    return {
      topic: this.topic,
      partition: this.partition,
      inFlightMessages: this.#share.messages,
      inFlightBytes: this.#share.bytes,
      committedOffset: committed === undefined ? undefined : BigInt(committed),
      oldestUnsettled: oldest === undefined ? undefined : this.#describeUnsettled(oldest),
      pausedBy: pauseReasonsOf(this.#blockedBy),
    };
  }

  get #mayRedeliver(): boolean {
    return (this.#blockedBy & KEEPS_BACK_REDELIVERIES) === 0;
  }

  #list(): void {
    if (this.#mayRedeliver) this.#parts.loop.add(this);
  }

  #redeliver(max: number): number {
    let delivered = 0;
    while (delivered < max && this.#mayRedeliver) {
      const due = this.#redeliveries.takeDue();
      if (due === undefined) break;
      delivered += 1;
      this.#deliver(due);
    }
    return delivered;
  }

  #read(max: number): number {
    if (this.#blockedBy !== 0 || max <= 0) return 0;
    const { log } = this;
    this.#skipRemoved();
    this.#times.mark(this.#tracker.received, this.#parts.clock.now(), this.#tracker.position);
    let { version } = log;
    let index = log.indexFrom(this.#tracker.received);
    let delivered = 0;
    while (delivered < max && this.#blockedBy === 0) {
      if (log.version !== version) {
        version = log.version;
        index = log.indexFrom(this.#tracker.received);
      }
      const stored = log.at(index);
      if (stored === undefined) {
        this.#advance(log.next);
        break;
      }
      if (!this.#share.tryTake(stored.sizeBytes)) {
        this.block(BLOCK.inFlight);
        break;
      }
      index += 1;
      delivered += 1;
      this.#deliver({ stored, ticket: this.#tracker.track(stored.offset), attempt: 1 });
    }
    return delivered;
  }

  #deliver(ticket: DeliveryTicket): void {
    const delivery = new MemoryDelivery(this, ticket);
    this.#open.opened();
    try {
      this.#parts.deliver(delivery);
    } catch (error) {
      if (!delivery.isSettled) delivery.settle(RELEASE);
      throw error;
    }
  }

  #acknowledge({ ticket, sizeBytes }: MemoryDelivery): void {
    const { maxUncommittedMessages } = this.#parts;
    const hasMoved = this.#tracker.settle(ticket);
    this.#share.give(sizeBytes);
    if (hasMoved) {
      this.#noteMove();
      const isBlocked = (this.#blockedBy & BLOCK.uncommitted) !== 0;
      if (isBlocked && this.#tracker.settledAhead * 2 <= maxUncommittedMessages)
        this.unblock(BLOCK.uncommitted);
    } else if (this.#tracker.settledAhead === maxUncommittedMessages) {
      this.block(BLOCK.uncommitted);
      this.#warn("too many settled messages wait behind an unsettled one", {
        offset: this.position,
      });
    }
  }

  #deliverAgain({ stored, ticket }: MemoryDelivery, attempt: number, afterMs: number): void {
    const dueMs = this.#parts.clock.monotonicMs() + (afterMs > 0 ? afterMs : 0);
    this.#redeliveries.add({ stored, ticket, attempt, dueMs });
  }

  #skipRemoved(): void {
    const { low } = this.log;
    const { received } = this.#tracker;
    if (received >= low) return;
    this.#warn("messages were removed before they were read", { from: received, to: low });
    this.#advance(low);
  }

  #advance(position: number): void {
    const before = this.#tracker.position;
    this.#tracker.advance(position);
    if (this.#tracker.position !== before) this.#noteMove();
  }

  #noteMove(): void {
    if (this.hasMoved) return;
    this.hasMoved = true;
    this.#parts.onMoved(this);
  }

  #warn(message: string, details: Readonly<Record<string, unknown>>): void {
    this.#parts.onWarning(message, { topic: this.topic, partition: this.partition, ...details });
  }

  #describeUnsettled(offset: number): PartitionState["oldestUnsettled"] {
    const stored = this.log.at(this.log.indexFrom(offset));
    const deliveredAtMs = this.#times.at(offset) ?? this.#parts.clock.now();
    // Retention may have removed the message in the meantime.
    const timestampMs = stored?.offset === offset ? stored.timestampMs : deliveredAtMs;
    return { offset: BigInt(offset), deliveredAtMs, timestampMs };
  }
}
