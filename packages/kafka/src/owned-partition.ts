import { BusTransportError } from "@bus/core";
import type {
  BusError,
  Clock,
  Deliver,
  PartitionState,
  PauseReason,
  Settlement,
  TopicPartition,
} from "@bus/core";
import { OffsetTracker } from "@bus/core/adapter";
import type { GateShare, InFlightGate } from "@bus/core/adapter";
import { DeliveryRing } from "./delivery-ring.ts";
import type { FetchedRecords, OwnedDelivery } from "./kafka-driver.ts";
import { Ownership } from "./ownership.ts";

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
}

/** What an owned partition is made of. */
export interface PartitionParts extends TopicPartition {
  readonly gate: InFlightGate;
  readonly clock: Clock;
  readonly deliver: Deliver;
  readonly listener: PartitionListener;
  readonly maxUncommittedMessages: number;
}

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
  /** The position that the group has stored, as far as this member knows. */
  committed: number | undefined;
  readonly #parts: PartitionParts;
  readonly #share: GateShare;
  readonly #ring = new DeliveryRing();
  readonly #pausedBy = new Set<PauseReason>();
  readonly #walks: FetchedRecords[] = [];
  #released: { readonly ticket: number; readonly delivery: OwnedDelivery }[] = [];
  #ownership: Ownership;
  #tracker: OffsetTracker | undefined;
  #nextFetch: number | undefined;
  #state: "active" | "draining" | "restarting" | "unreadable" | "gone" = "active";
  #walking = false;
  #isAdvancing = false;
  #nowMs = 0;
  #cancelOffer: (() => void) | undefined;

  constructor(parts: PartitionParts) {
    this.topic = parts.topic;
    this.partition = parts.partition;
    this.#parts = parts;
    this.#share = parts.gate.share(() => this.#advanceSoon());
    this.#ownership = this.#newOwnership();
  }

  /** Whether more records are wanted now. */
  get isFetching(): boolean {
    return this.#state === "active" && this.#pausedBy.size === 0;
  }

  /** Whether results still count. */
  get isOwned(): boolean {
    return this.#state !== "gone";
  }

  /** Whether it was drained and has not gone on since. */
  get isDrained(): boolean {
    return this.#state === "draining";
  }

  /** The position that may be committed; `undefined` before the first fetch. */
  get position(): number | undefined {
    return this.#tracker?.position;
  }

  /** Where fetching goes on; `undefined` before the first fetch. */
  get nextFetch(): number | undefined {
    return this.#nextFetch;
  }

  /** Deliveries made and not yet settled. */
  get unsettled(): number {
    return this.#ownership.unsettled;
  }

  /** Whether the log ends before what was received from it: it was cut or made anew, so this partition's tracking is void. */
  isCutBy(fetched: FetchedRecords): boolean {
    const received = this.#tracker?.received ?? 0;
    return fetched.fetchedFrom < received && fetched.end < received;
  }

  /** Take records in, in the order of fetches. */
  accept(fetched: FetchedRecords): void {
    if (this.#state === "gone" || this.#state === "unreadable") return;
    this.#tracker ??= new OffsetTracker(fetched.fetchedFrom);
    this.#nextFetch = Math.max(this.#nextFetch ?? 0, fetched.nextPosition);
    this.#walks.push(fetched);
    this.#advance();
  }

  /** Stop reading for a reason; deliveries already made stay valid. Idempotent. */
  pause(reason: PauseReason): void {
    if (this.#pausedBy.has(reason)) return;
    this.#change(() => this.#pausedBy.add(reason));
  }

  /** Undo `pause` of the same reason. Idempotent. */
  resume(reason: PauseReason): void {
    if (!this.#pausedBy.has(reason)) return;
    this.#change(() => this.#pausedBy.delete(reason));
    this.#advanceSoon();
  }

  /** Make no more deliveries and have those that have not started given back; `onIdle` is called once all have settled. */
  drain(onIdle: () => void): void {
    this.#cancelOffer?.();
    if (this.#state === "active" || this.#state === "restarting")
      this.#change(() => (this.#state = "draining"));
    this.#ownership.drain();
    this.#ownership.whenIdle(onIdle);
  }

  /** End the patience of `drain`: running handlers must stop. */
  abort(): void {
    this.#ownership.end();
  }

  /** Go on after `drain`, as soon as its last delivery has settled: first what was given back, then new records. */
  restart(): void {
    if (this.#state !== "draining") return;
    this.#state = "restarting";
    this.#ownership.whenIdle(() => {
      if (this.#state !== "restarting") return;
      this.#ownership = this.#newOwnership();
      this.#released.sort((a, b) => a.ticket - b.ticket);
      this.#change(() => (this.#state = "active"));
      this.#advanceSoon();
    });
  }

  /** What follows cannot be read: make no more deliveries. */
  fail(error: BusError): void {
    if (this.#state === "gone" || this.#state === "unreadable") return;
    this.#change(() => (this.#state = "unreadable"));
    this.#parts.listener.stalled(this, error);
  }

  /** Ownership is over; what settles from now on is ignored. Idempotent. */
  end(): void {
    this.#state = "gone";
    this.#cancelOffer?.();
    this.#ownership.end();
    this.#share.close();
    this.#walks.length = 0;
    this.#released = [];
  }

  describe(): PartitionState {
    const oldest = this.#ring.oldest();
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
    // A delivery may settle while it is handed over and so call this again; the loop that runs sees to it.
    if (this.#walking) return;
    this.#walking = true;
    this.#nowMs = this.#parts.clock.now();
    try {
      const isDone = this.#offerReleased() && this.#walkFetched();
      if (isDone) this.resume("inFlight");
    } finally {
      this.#walking = false;
    }
  }

  #offerReleased(): boolean {
    while (this.#released.length > 0) {
      const next = this.#released[0];
      if (next === undefined || this.#isHeldBack("released")) return false;
      if (!this.#takesRoom(next.delivery.sizeBytes)) return false;
      this.#released.shift();
      this.#hand(next.delivery.again(this.#ownership, next.ticket), next.ticket);
    }
    return true;
  }

  #walkFetched(): boolean {
    for (let fetched = this.#walks[0]; fetched !== undefined; fetched = this.#walks[0]) {
      if (!this.#walkOne(fetched)) return false;
      this.#tracker?.advance(fetched.nextPosition);
      this.#walks.shift();
      if (this.#tracker?.unsettled === 0) this.#parts.listener.moved(this);
    }
    return true;
  }

  /** @returns Whether the walk has come to its end. */
  #walkOne({ records }: FetchedRecords): boolean {
    const tracker = this.#tracker;
    let duplicates = 0;
    while (tracker !== undefined && records.offset >= 0) {
      if (records.offset < tracker.received) {
        duplicates += 1;
      } else {
        if (this.#isHeldBack("fetched") || !this.#takesRoom(records.sizeBytes)) break;
        const ticket = tracker.track(records.offset);
        this.#hand(records.deliver(this.#ownership, ticket), ticket);
      }
      if (!this.#next(records)) break;
    }
    if (duplicates > 0) this.#parts.listener.duplicates(this, duplicates);
    return records.offset < 0 && this.#state !== "unreadable";
  }

  #next(records: FetchedRecords["records"]): boolean {
    try {
      records.next();
      return true;
    } catch (error) {
      const message = `records of ${this.topic}[${this.partition}] after offset ${this.#tracker?.received ?? 0} cannot be read`;
      this.fail(new BusTransportError("BUS_CORRUPT", message, { cause: error }));
      return false;
    }
  }

  #hand(delivery: OwnedDelivery, ticket: number): void {
    this.#ring.add(ticket, delivery, this.#nowMs);
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
    if (this.#state === "gone") return;
    if (settlement.kind === "ack") {
      this.#ring.remove(ticket);
      const moved = this.#tracker?.settle(ticket) ?? false;
      this.#parts.listener.acknowledged();
      if (moved) this.#parts.listener.moved(this);
      this.#boundUncommitted(moved);
    } else {
      this.#released.push({ ticket, delivery });
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

  #boundUncommitted(moved: boolean): void {
    const max = this.#parts.maxUncommittedMessages;
    const ahead = this.#tracker?.settledAhead ?? 0;
    if (moved) {
      if (ahead <= max / 2) this.resume("uncommitted");
      return;
    }
    if (ahead < max || this.#pausedBy.has("uncommitted")) return;
    this.pause("uncommitted");
    const message = `${ahead} settled messages of ${this.topic}[${this.partition}] wait behind offset ${this.#tracker?.position ?? 0}`;
    this.#parts.listener.stalled(this, new BusTransportError("BUS_TRANSPORT", message));
  }

  #change(change: () => void): void {
    const before = this.isFetching;
    change();
    if (this.isFetching !== before) this.#parts.listener.flowChanged(this);
  }
}
