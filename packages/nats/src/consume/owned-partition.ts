import { BusTransportError } from "@bus/core";
import type { BusError, Clock, Deliver, PartitionState, PauseReason, Settlement } from "@bus/core";
import type { GateShare, InFlightGate } from "@bus/core/adapter";
import type { NatsLink } from "../client/nats-link.ts";
import type { Lease } from "../leases/lease-contract.ts";
import type { PartitionConsumers } from "../topology/partition-consumers.ts";
import { MessageQueue } from "./message-queue.ts";
import { NatsDelivery } from "./nats-delivery.ts";
import type { ReceivedMessage } from "./nats-delivery.ts";
import { Ownership } from "./ownership.ts";
import { PartitionBooks } from "./partition-books.ts";
import { PartitionFeed } from "./partition-feed.ts";
import type { FeedListener } from "./partition-feed.ts";

/** How long a delivery that nobody handles waits until it is offered again. */
const OFFER_AGAIN_MS = 1_000;
const WORKING = Buffer.from("+WPI");

/** What an owned partition tells its subscription. */
export interface PartitionListener {
  /** There is a new position to acknowledge. */
  moved(partition: OwnedPartition): void;
  /** Messages were dropped because they had been received before. */
  duplicates(partition: OwnedPartition, count: number): void;
  /** The partition stands still: too much is settled behind an unsettled message, or its consumer cannot be had. */
  stalled(partition: OwnedPartition, error: BusError): void;
}

/** What an owned partition is made of. */
export interface PartitionParts {
  readonly group: string;
  readonly lease: Lease;
  readonly stream: string;
  readonly link: NatsLink;
  readonly consumers: PartitionConsumers;
  readonly gate: InFlightGate;
  readonly clock: Clock;
  readonly random: () => number;
  readonly deliver: Deliver;
  readonly listener: PartitionListener;
  readonly maxUncommittedMessages: number;
  /** First sequence when the group has no position. */
  readonly initialStart: () => Promise<number>;
}

type State = "opening" | "active" | "draining" | "restarting" | "gone";

/**
 * A partition that this process owns: it makes deliveries of what its feed brings, as far as the in-flight gate has room,
 * tracks their settlement and knows the position that may be acknowledged.
 */
export class OwnedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly lease: Lease;
  readonly #parts: PartitionParts;
  readonly #share: GateShare;
  readonly #pausedBy = new Set<PauseReason>();
  readonly #queue = new MessageQueue();
  readonly #feed: PartitionFeed;
  #ownership: Ownership;
  #books: PartitionBooks | undefined;
  #state: State = "opening";
  #isWalking = false;
  #isAdvancing = false;
  #cancelOffer: (() => void) | undefined;

  constructor(parts: PartitionParts) {
    this.lease = parts.lease;
    this.topic = parts.lease.topic;
    this.partition = parts.lease.partition;
    this.#parts = parts;
    this.#share = parts.gate.share(() => this.#advanceSoon());
    this.#ownership = this.#newOwnership();
    this.#feed = new PartitionFeed({ ...parts, listener: this.#feedListener() });
    void this.#feed.open();
  }

  /** Why it is not being read although it should be; empty when all is well. */
  trouble = "";

  /** Everything before is settled; `undefined` until the consumer is there. */
  get position(): number | undefined {
    return this.#books?.position;
  }

  get books(): PartitionBooks | undefined {
    return this.#books;
  }

  /** Deliveries made and not yet settled. */
  get unsettled(): number {
    return this.#ownership.unsettled;
  }

  get isGone(): boolean {
    return this.#state === "gone";
  }

  /** Stop reading for a reason; deliveries already made stay valid. Idempotent. */
  pause(reason: PauseReason): void {
    this.#pausedBy.add(reason);
  }

  /** Undo `pause` of the same reason. Idempotent. */
  resume(reason: PauseReason): void {
    if (this.#pausedBy.delete(reason)) this.#advanceSoon();
  }

  /** Make no more deliveries and have those that have not started given back; `onIdle` is called once all have settled. */
  drain(onIdle: () => void): void {
    this.#cancelOffer?.();
    if (this.#state !== "gone") this.#state = "draining";
    this.#ownership.drain();
    this.#ownership.whenIdle(onIdle);
  }

  /** End the patience of `drain`: running handlers must stop. */
  abort(): void {
    this.#ownership.end();
  }

  /** Go on after `drain`, as soon as its last delivery has settled: first what was given back, then new messages. */
  restart(): void {
    if (this.#state !== "draining") return;
    this.#state = "restarting";
    this.#ownership.whenIdle(() => {
      if (this.#state !== "restarting") return;
      this.#ownership = this.#newOwnership();
      this.#books?.sortReleased();
      this.#state = "active";
      this.#advanceSoon();
    });
  }

  /** Ownership is over; what settles from now on is ignored. Idempotent. */
  end(): void {
    this.#state = "gone";
    this.#cancelOffer?.();
    this.#feed.stop();
    this.#ownership.end();
    this.#share.close();
    this.#queue.clear();
  }

  /** Have the server wait on for what was delivered before a time on the monotonic clock. */
  keepWaiting(deliveredBeforeMs: number): void {
    if (this.#books === undefined) return;
    for (const { madeAtMs, incarnation, reply } of this.#books.unacknowledged())
      if (madeAtMs < deliveredBeforeMs && incarnation === this.#feed.incarnation)
        this.#parts.link.publish(reply, WORKING);
  }

  describe(): PartitionState {
    const oldest = this.#books?.oldest();
    const { clock } = this.#parts;
    return {
      topic: this.topic,
      partition: this.partition,
      inFlightMessages: this.#share.messages,
      inFlightBytes: this.#share.bytes,
      committedOffset: this.#books === undefined ? undefined : BigInt(this.#books.committed),
      oldestUnsettled: oldest && {
        offset: oldest.offset,
        deliveredAtMs: clock.now() - (clock.monotonicMs() - oldest.madeAtMs),
        timestampMs: oldest.timestampMs,
      },
      pausedBy: [...this.#pausedBy],
    };
  }

  #feedListener(): FeedListener {
    return {
      opened: (start) => {
        this.#books = new PartitionBooks(start);
        // Asked to drain meanwhile, it goes on when it is told to.
        if (this.#state === "opening") this.#state = "active";
      },
      reopening: () => {
        this.#queue.clear();
        if (this.#books === undefined) return 0;
        this.#books.ackPoint = undefined;
        return this.#books.position;
      },
      wanted: () => this.#wanted(),
      received: (received) => this.#received(received),
      resumed: () => this.#parts.listener.moved(this),
      began: () => (this.trouble = ""),
      failed: (error) => {
        const message = `the consumer of ${this.topic}[${this.partition}] cannot be had: ${textOf(error)}`;
        const init = { cause: error };
        this.trouble = message;
        this.#parts.listener.stalled(this, new BusTransportError("BUS_TRANSPORT", message, init));
      },
    };
  }

  #wanted(): number {
    if (this.#state !== "active" || this.#isBlocked()) return 0;
    return this.#queue.capacity - this.#queue.length;
  }

  #isBlocked(): boolean {
    return this.#pausedBy.has("held") || this.#pausedBy.has("scheduler");
  }

  #received(received: ReceivedMessage): void {
    const { streamSequence } = received.ack;
    const books = this.#books;
    if (books === undefined) return;
    if (streamSequence >= books.received) {
      this.#queue.push(received);
      return this.#advance();
    }
    this.#parts.listener.duplicates(this, 1);
    // The first acknowledgement subject of an incarnation stays: later ones have a higher place among its deliveries.
    if (received.ack.deliveries > 1) return;
    books.cameAgain(streamSequence, received.reply, this.#feed.incarnation);
    this.#parts.listener.moved(this);
  }

  /** Make more deliveries once whoever settled or resumed has finished: never from within its call. */
  #advanceSoon(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    queueMicrotask(() => {
      this.#isAdvancing = false;
      this.#advance();
      this.#feed.pull();
    });
  }

  /** Make deliveries as far as there is room. */
  #advance(): void {
    if (this.#isWalking || this.#books === undefined) return;
    this.#isWalking = true;
    try {
      const isDone = this.#offerReleased(this.#books) && this.#walkQueue(this.#books);
      if (isDone) this.#pausedBy.delete("inFlight");
    } finally {
      this.#isWalking = false;
    }
  }

  #offerReleased(books: PartitionBooks): boolean {
    for (let next = books.firstReleased; next !== undefined; next = books.firstReleased) {
      if (this.#state !== "active" || this.#isBlocked() || !this.#takesRoom(next.sizeBytes))
        return false;
      books.dropFirstReleased();
      this.#hand(next.again(this.#ownership, this.#parts.clock.monotonicMs()), books);
    }
    return true;
  }

  #walkQueue(books: PartitionBooks): boolean {
    for (let next = this.#queue.first(); next !== undefined; next = this.#queue.first()) {
      if (this.#state !== "active" || this.#isBlocked() || this.#pausedBy.has("uncommitted"))
        return false;
      const { streamSequence } = next.ack;
      if (streamSequence >= books.received) {
        if (!this.#takesRoom(next.sizeBytes)) return false;
        const ticket = books.receive(streamSequence);
        const incarnation = this.#feed.incarnation;
        const madeAtMs = this.#parts.clock.monotonicMs();
        const parts = { attempt: 1, ticket, incarnation, madeAtMs };
        this.#queue.dropFirst();
        this.#hand(new NatsDelivery(this.#ownership, next, parts), books);
      } else {
        this.#queue.dropFirst();
      }
    }
    return true;
  }

  #hand(delivery: NatsDelivery, books: PartitionBooks): void {
    books.handOver(delivery);
    this.#ownership.made();
    this.#parts.deliver(delivery);
  }

  #takesRoom(bytes: number): boolean {
    if (this.#share.tryTake(bytes)) return true;
    this.#pausedBy.add("inFlight");
    return false;
  }

  #newOwnership(): Ownership {
    return new Ownership(this.#parts.lease, (delivery, settlement) =>
      this.#settled(delivery, settlement),
    );
  }

  #settled(delivery: NatsDelivery, settlement: Settlement): void {
    const books = this.#books;
    if (this.isGone || books === undefined) return;
    if (settlement.kind === "ack") {
      const hasMoved = books.settle(delivery, this.#feed.incarnation);
      if (hasMoved) this.#parts.listener.moved(this);
      this.#boundUncommitted(books, hasMoved);
    } else {
      books.giveBack(delivery);
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
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
