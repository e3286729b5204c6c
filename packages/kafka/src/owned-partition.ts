import { BusTransportError } from "@bus/core";
import type {
  BusError,
  Clock,
  Deliver,
  Delivery,
  PartitionState,
  PauseReason,
  Settlement,
  TopicPartition,
} from "@bus/core";
import type { GateShare, InFlightGate } from "@bus/core/adapter";
import type { FetchedRecords, OwnedDelivery, RecordWalk } from "./kafka-driver.ts";
import { Ownership } from "./ownership.ts";
import { PartitionBooks } from "./partition-books.ts";
import { PartitionReading } from "./partition-reading.ts";
import type { OffsetRange } from "./partition-reading.ts";

/** How long a delivery that nobody handles waits until it is offered again. */
const OFFER_AGAIN_MS = 1_000;

/** What an owned partition tells its subscription. */
export interface PartitionListener {
  /** `isFetching` has changed. */
  flowChanged(partition: OwnedPartition): void;
  /** A delivery was acknowledged. */
  acknowledged(): void;
  /** There is a new position to commit. */
  moved(partition: OwnedPartition): void;
  /** Records were dropped because they had been received before. */
  duplicates(partition: OwnedPartition, count: number): void;
  /** Too much is settled behind an unsettled message, or records cannot be read; the partition stands still. */
  stalled(partition: OwnedPartition, error: BusError): void;
  /** What could not be read is to be read again, from this offset on, whatever was fetched since. */
  readAgain(partition: OwnedPartition, offset: number): void;
  /** What could not be read has been. */
  recovered(partition: OwnedPartition): void;
  /** Offsets from `from` to `to − 1` could not be read and are passed over, as was asked for. */
  skipped(partition: OwnedPartition, range: OffsetRange): void;
}

/** What an owned partition is made of. */
export interface PartitionParts extends TopicPartition {
  readonly gate: InFlightGate;
  readonly clock: Clock;
  readonly random: () => number;
  readonly deliver: Deliver;
  readonly listener: PartitionListener;
  readonly maxUncommittedMessages: number;
  /** Offsets of the partition that may be passed over when they cannot be read. */
  readonly mayBeSkipped: readonly OffsetRange[];
}

/**
 * `active` ⇄ `draining` → `restarting` → `active`: a rebalance, a hold. `lost` → `restarting`: owned again, perhaps by
 * nobody else in between. `gone`: over.
 */
type State = "active" | "draining" | "restarting" | "lost" | "gone";

/**
 * A partition that this member owns: it turns fetched records into deliveries as far as the in-flight gate has room,
 * tracks their settlement and knows the position that may be committed.
 *
 * `drain` stops it for the time of a rebalance; then it either goes on with `restart` (kept: nothing is read or handled
 * again but what was given back) or is over with `end` (gone: whatever settles later is void).
 */
export class OwnedPartition implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly #parts: PartitionParts;
  readonly #share: GateShare;
  readonly #pausedBy = new Set<PauseReason>();
  readonly #reading: PartitionReading;
  #ownership: Ownership;
  #books: PartitionBooks | undefined;
  #state: State = "active";
  /** What the listener knows of `isFetching`. */
  #wasFetching = true;
  #isWalking = false;
  #isAdvancing = false;
  #nowMs = 0;
  #cancelOffer: (() => void) | undefined;

  constructor(parts: PartitionParts) {
    this.topic = parts.topic;
    this.partition = parts.partition;
    this.#parts = parts;
    this.#share = parts.gate.share(() => this.#advanceSoon());
    this.#ownership = this.#newOwnership();
    this.#reading = this.#newReading();
  }

  /** Whether more records are wanted now. A lost partition waits for a fetch, which tells whether it is as it was. */
  get isFetching(): boolean {
    if (this.#reading.isWaiting) return false;
    return this.#state === "lost" || (this.#state === "active" && this.#pausedBy.size === 0);
  }

  /** Whether its results count. */
  get isOwned(): boolean {
    return this.#state !== "gone" && this.#state !== "lost";
  }

  /** Whether it was drained and has not gone on since. */
  get isDrained(): boolean {
    return this.#state === "draining";
  }

  /** The position that may be committed; `undefined` before the first fetch. */
  get position(): number | undefined {
    return this.#books?.position;
  }

  get committed(): number | undefined {
    return this.#books?.committed;
  }

  /** Where fetching goes on; `undefined` before the first fetch. */
  get nextFetch(): number | undefined {
    return this.#reading.next;
  }

  /** Why the partition cannot be read on from where it stands, and since when; `undefined` while it can. */
  get unreadable(): { readonly error: BusError; readonly sinceMs: number } | undefined {
    return this.#reading.unreadable;
  }

  /** Deliveries made and not yet settled. */
  get unsettled(): number {
    return this.#ownership.unsettled;
  }

  /** Whether a delivery is the one that holds the position back. */
  isOldest(delivery: Delivery): boolean {
    return this.isOwned && this.#books?.oldest()?.delivery === delivery;
  }

  /** The group has stored a position. */
  noteCommitted(position: number): void {
    if (this.#books !== undefined) this.#books.committed = position;
  }

  /** Whether what is known of the partition does not fit a fetch any more, so that it must be begun anew. */
  isVoidedBy(fetched: FetchedRecords): boolean {
    if (this.#books === undefined) return false;
    return (
      this.#books.isCutBy(fetched) || (this.#state === "lost" && this.#books.isOvertakenBy(fetched))
    );
  }

  /** Take records in, in the order of fetches. */
  accept(fetched: FetchedRecords): void {
    if (this.#state === "gone") return;
    this.#books ??= new PartitionBooks(fetched.fetchedFrom);
    if (!this.#reading.add(fetched)) return;
    if (this.#state === "lost") this.#begin();
    this.#advance();
  }

  /** Stop reading for a reason; deliveries already made stay valid. Idempotent. */
  pause(reason: PauseReason): void {
    if (this.#pausedBy.has(reason)) return;
    this.#pausedBy.add(reason);
    this.#tellFlow();
  }

  /** Undo `pause` of the same reason. Idempotent. */
  resume(reason: PauseReason): void {
    if (!this.#pausedBy.has(reason)) return;
    this.#pausedBy.delete(reason);
    this.#tellFlow();
    this.#advanceSoon();
  }

  /** Make no more deliveries and have those that have not started given back; `onIdle` is called once all have settled. */
  drain(onIdle: () => void): void {
    this.#cancelOffer?.();
    if (this.#state === "active" || this.#state === "restarting") this.#state = "draining";
    this.#reading.stopWaiting();
    this.#ownership.drain();
    this.#ownership.whenIdle(onIdle);
  }

  /** End the patience of `drain`: running handlers must stop. */
  abort(): void {
    this.#ownership.end();
  }

  /** Go on after `drain`, as soon as its last delivery has settled: first what was given back, then new records. */
  restart(): void {
    if (this.#state === "draining") this.#begin();
  }

  /** What follows cannot be read: stand still, and try again after a while. */
  fail(error: BusError): void {
    if (this.#state !== "gone") this.#reading.fail(error);
  }

  /**
   * Ownership ended without warning: what settles from now on is as if it was given back. Should the partition come
   * back before anybody else has gone on with it, it goes on where it was.
   */
  lose(): void {
    this.#cancelOffer?.();
    this.#state = "lost";
    // Whoever paused it does so for deliveries that are void now.
    this.#pausedBy.delete("scheduler");
    this.#ownership.disown();
    this.#reading.forget();
    this.#tellFlow();
  }

  /** Ownership is over; what settles from now on is ignored. Idempotent. */
  end(): void {
    this.#state = "gone";
    this.#cancelOffer?.();
    this.#reading.forget();
    this.#ownership.end();
    this.#share.close();
  }

  describe(): PartitionState {
    const oldest = this.#books?.oldest();
    return {
      topic: this.topic,
      partition: this.partition,
      inFlightMessages: this.#share.messages,
      inFlightBytes: this.#share.bytes,
      committedOffset: this.committed === undefined ? undefined : BigInt(this.committed),
      oldestUnsettled: oldest && {
        offset: oldest.delivery.offset,
        deliveredAtMs: oldest.deliveredAtMs,
        timestampMs: oldest.delivery.timestampMs,
      },
      pausedBy: [...this.#pausedBy],
    };
  }

  /** Begin a new epoch as soon as the deliveries of the last one have settled. */
  #begin(): void {
    this.#state = "restarting";
    this.#tellFlow();
    this.#ownership.whenIdle(() => {
      if (this.#state !== "restarting") return;
      this.#ownership = this.#newOwnership();
      this.#books?.sortReleased();
      this.#state = "active";
      this.#tellFlow();
      this.#reading.again();
      this.#parts.listener.moved(this);
      this.#advanceSoon();
    });
  }

  /** Make more deliveries once whoever settled or resumed has finished: never from within its call. */
  #advanceSoon(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    queueMicrotask(() => {
      this.#isAdvancing = false;
      this.#advance();
    });
  }

  /** Make deliveries as far as there is room. */
  #advance(): void {
    if (this.#isWalking || this.#books === undefined) return;
    this.#isWalking = true;
    this.#nowMs = this.#parts.clock.now();
    try {
      const isDone = this.#offerReleased(this.#books) && this.#reading.walk(this.#books);
      if (isDone) this.resume("inFlight");
    } finally {
      this.#isWalking = false;
    }
  }

  #offerReleased(books: PartitionBooks): boolean {
    for (let next = books.firstReleased; next !== undefined; next = books.firstReleased) {
      if (this.#isHeldBack("released") || !this.#takesRoom(next.delivery.sizeBytes)) return false;
      books.dropFirstReleased();
      this.#hand(next.delivery.again(this.#ownership, next.ticket), next.ticket);
    }
    return true;
  }

  #newReading(): PartitionReading {
    const { topic, partition, clock, random, mayBeSkipped, listener } = this.#parts;
    return new PartitionReading({
      topic,
      partition,
      clock,
      random,
      mayBeSkipped,
      listener: {
        take: (records, books) => this.#take(records, books),
        duplicates: (count) => listener.duplicates(this, count),
        walked: ({ isSettled }) => {
          if (isSettled) listener.moved(this);
        },
        stalled: (error) => listener.stalled(this, error),
        readAgain: (offset) => listener.readAgain(this, offset),
        recovered: () => listener.recovered(this),
        skipped: (range) => listener.skipped(this, range),
        changed: () => this.#tellFlow(),
      },
    });
  }

  #take(records: RecordWalk, books: PartitionBooks): boolean {
    if (this.#isHeldBack("fetched") || !this.#takesRoom(records.sizeBytes)) return false;
    const ticket = books.receive(records.offset);
    this.#hand(records.deliver(this.#ownership, ticket), ticket);
    return true;
  }

  #hand(delivery: OwnedDelivery, ticket: number): void {
    this.#books?.handOver(ticket, delivery, this.#nowMs);
    this.#ownership.made();
    this.#parts.deliver(delivery);
  }

  // What was given back may be what the others wait for, so only new records wait for it.
  #isHeldBack(records: "released" | "fetched"): boolean {
    if (this.#state !== "active") return true;
    if (this.#pausedBy.size === 0) return false;
    if (this.#pausedBy.has("held") || this.#pausedBy.has("scheduler")) return true;
    return records === "fetched" && this.#pausedBy.has("uncommitted");
  }

  #takesRoom(bytes: number): boolean {
    if (this.#share.tryTake(bytes)) return true;
    this.pause("inFlight");
    return false;
  }

  #newOwnership(): Ownership {
    return new Ownership((delivery, ticket, settlement) =>
      this.#settled(delivery, ticket, settlement),
    );
  }

  #settled(delivery: OwnedDelivery, ticket: number, settlement: Settlement): void {
    const books = this.#books;
    if (this.#state === "gone" || books === undefined) return;
    if (settlement.kind === "ack") {
      const hasMoved = books.settle(ticket);
      this.#parts.listener.acknowledged();
      if (hasMoved) this.#parts.listener.moved(this);
      this.#boundUncommitted(books, hasMoved);
    } else {
      books.giveBack({ ticket, delivery });
      if (this.#state === "active")
        this.#offerLater(settlement.kind === "nack" ? settlement.redeliverAfterMs : OFFER_AGAIN_MS);
    }
    this.#share.give(delivery.sizeBytes);
  }

  // Given back though nobody asked for it: what follows in the partition must not overtake it.
  #offerLater(delayMs: number): void {
    this.drain(() => undefined);
    this.#cancelOffer = this.#parts.clock.schedule(() => this.restart(), delayMs);
  }

  #boundUncommitted(books: PartitionBooks, hasMoved: boolean): void {
    const max = this.#parts.maxUncommittedMessages;
    if (hasMoved) {
      if (books.settledAhead <= max / 2) this.resume("uncommitted");
      return;
    }
    if (books.settledAhead < max || this.#pausedBy.has("uncommitted")) return;
    this.pause("uncommitted");
    const message = `${books.settledAhead} settled messages of ${this.topic}[${this.partition}] wait behind offset ${books.position}`;
    this.#parts.listener.stalled(this, new BusTransportError("BUS_TRANSPORT", message));
  }

  #tellFlow(): void {
    const { isFetching } = this;
    if (isFetching === this.#wasFetching) return;
    this.#wasFetching = isFetching;
    this.#parts.listener.flowChanged(this);
  }
}
