import type {
  Clock,
  Deliver,
  PartitionState,
  PauseReason,
  Settlement,
  TransportEvent,
} from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import type { GateShare, InFlightGate } from "@bus/core/adapter";
import type { LinkSubscription, NatsLink } from "../client/nats-link.ts";
import type { SharedConsumer } from "../topology/shared-consumers.ts";
import { MessageQueue } from "./message-queue.ts";
import { NatsDelivery } from "./nats-delivery.ts";
import type { ReceivedMessage } from "./nats-delivery.ts";
import { Ownership } from "./ownership.ts";
import { PullStream } from "./pull-stream.ts";
import { RecentSequences } from "./recent-sequences.ts";

const NANOS_PER_MS = 1_000_000;
/** A message given back while its process leaves goes to another at once; the server is never told "now". */
const GIVE_BACK_MS = 1;
/** Given back though nobody leaves: not at once again. */
const OFFER_AGAIN_MS = 1_000;
/** How long handlers that were told to stop may take to end. */
const ABORT_GRACE_MS = 250;
const REOPEN = Object.freeze({ baseMs: 200, maxMs: 5_000, jitter: 0.2 });
const ACK = Buffer.from("+ACK");
const WORKING = Buffer.from("+WPI");

/** What a shared topic is made of. */
export interface SharedTopicParts {
  readonly group: string;
  readonly topic: string;
  readonly stream: string;
  readonly consumer: SharedConsumer;
  readonly link: NatsLink;
  readonly gate: InFlightGate;
  readonly clock: Clock;
  readonly random: () => number;
  readonly deliver: Deliver;
  readonly emit: (event: TransportEvent) => void;
  readonly maxInFlight: number;
}

/**
 * One topic without partitions: all processes of a group read one consumer, each message goes to one of them. Messages are
 * acknowledged one by one, in any order; what fails is given back to the server with a delay.
 */
export class SharedTopic {
  readonly topic: string;
  readonly #parts: SharedTopicParts;
  readonly #share: GateShare;
  readonly #queue = new MessageQueue();
  readonly #inFlight = new Map<number, NatsDelivery>();
  /** Acknowledged lately: when one comes again, its acknowledgement was lost. */
  readonly #done = new RecentSequences();
  /** Runs that failed here, by sequence, until the message is done. */
  readonly #attempts = new Map<number, number>();
  readonly #pausedBy = new Set<PauseReason>();
  readonly #advisory: LinkSubscription;
  #ownership: Ownership;
  #pulls: PullStream | undefined;
  #lastSequence = 0;
  #lastHanded = 0;
  #isDraining = false;
  #isGone = false;
  #isAdvancing = false;

  constructor(parts: SharedTopicParts) {
    this.topic = parts.topic;
    this.#parts = parts;
    this.#share = parts.gate.share(() => this.#advanceSoon());
    this.#ownership = this.#newOwnership();
    const { name } = parts.consumer;
    const advisory = `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${parts.stream}.${name}`;
    this.#advisory = parts.link.subscribe(advisory, (message) => this.#gaveUp(message.data));
  }

  /** Messages that the server has given up, as it said to this process. */
  givenUp = 0;

  /** Begin to read, or go on after `drain`. */
  start(): void {
    if (this.#pulls !== undefined || this.#isGone) return;
    const { clock, consumer, link, random, stream } = this.#parts;
    this.#isDraining = false;
    // Deliveries that are running while the consumer is made again stay with theirs.
    if (this.#ownership.draining.aborted) this.#ownership = this.#newOwnership();
    this.#pulls = new PullStream({
      link,
      clock,
      random,
      stream,
      consumer: consumer.name,
      exists: () => consumer.exists(),
      listener: {
        wanted: () => this.#wanted(),
        received: (received) => this.#received(received),
        consumerGone: () => void this.#recreate(),
      },
    });
    this.#pulls.pull();
  }

  pause(reason: PauseReason): void {
    this.#pausedBy.add(reason);
  }

  resume(reason: PauseReason): void {
    if (this.#pausedBy.delete(reason)) this.#advanceSoon();
  }

  /**
   * Read no more, give back what waits, let what runs end within the budget.
   *
   * @returns Deliveries that had not settled then; they are given back, and what they say later is ignored.
   */
  async drain(budgetMs: number): Promise<number> {
    const { clock } = this.#parts;
    this.#isDraining = true;
    this.#ownership.drain();
    const pulls = this.#pulls;
    this.#pulls = undefined;
    this.#giveBackQueue();
    const stopped = pulls?.drain();
    const idle = new AbortController();
    this.#ownership.whenIdle(() => idle.abort());
    const isLate = await wait(clock, budgetMs, idle.signal);
    const abandoned = isLate ? this.#ownership.unsettled : 0;
    if (isLate) {
      this.#ownership.end();
      await wait(clock, ABORT_GRACE_MS, idle.signal);
    }
    await stopped;
    for (const delivery of this.#inFlight.values()) {
      this.#nak(delivery.reply, GIVE_BACK_MS);
      this.#share.give(delivery.sizeBytes);
    }
    this.#inFlight.clear();
    return abandoned;
  }

  /** Forget the group's position. */
  async discard(): Promise<void> {
    const { consumer } = this.#parts;
    await consumer
      .discard()
      .catch((error: unknown) => this.#warn("consumer was not removed", error));
  }

  /** It is over. Idempotent. */
  end(): void {
    this.#isGone = true;
    this.#pulls?.stop();
    this.#advisory.unsubscribe();
    this.#ownership.end();
    this.#share.close();
    this.#queue.clear();
    this.#inFlight.clear();
  }

  /** Have the server wait on for what it delivered before a time on the monotonic clock. */
  keepWaiting(deliveredBeforeMs: number): void {
    const { link } = this.#parts;
    for (const { madeAtMs, reply } of this.#inFlight.values())
      if (madeAtMs < deliveredBeforeMs) link.publish(reply, WORKING);
    for (const { reply } of this.#queue) link.publish(reply, WORKING);
  }

  describe(): PartitionState {
    const { clock } = this.#parts;
    const [oldest] = this.#inFlight.values();
    const position = oldest?.sequence ?? this.#lastSequence + 1;
    return {
      topic: this.topic,
      partition: 0,
      inFlightMessages: this.#share.messages,
      inFlightBytes: this.#share.bytes,
      committedOffset: this.#lastSequence === 0 ? undefined : BigInt(position),
      oldestUnsettled: oldest && {
        offset: oldest.offset,
        deliveredAtMs: clock.now() - (clock.monotonicMs() - oldest.madeAtMs),
        timestampMs: oldest.timestampMs,
      },
      pausedBy: [...this.#pausedBy],
    };
  }

  /** Somebody has deleted the consumer: go on with the first message that this process has not done. */
  async #recreate(): Promise<void> {
    const { clock, consumer, random } = this.#parts;
    this.#pulls?.stop();
    this.#pulls = undefined;
    for (let attempt = 1; !this.#isDraining && !this.#isGone; attempt += 1) {
      try {
        await consumer.open(this.#position());
        break;
      } catch (error) {
        this.#warn(`consumer of ${this.topic} cannot be made again`, error);
        await wait(clock, backOffMs(attempt, REOPEN, random), this.#ownership.draining);
      }
    }
    if (!this.#isDraining) this.start();
  }

  #position(): number | undefined {
    if (this.#lastSequence === 0) return undefined;
    const open = [...this.#inFlight.keys(), ...this.#attempts.keys()];
    for (const { ack } of this.#queue) open.push(ack.streamSequence);
    return Math.min(this.#lastSequence + 1, ...open);
  }

  #wanted(): number {
    if (this.#isDraining || this.#pausedBy.has("held") || this.#pausedBy.has("scheduler")) return 0;
    // What waits here could be handled by another process.
    const room = this.#parts.maxInFlight - this.#share.messages - this.#queue.length;
    return Math.max(0, Math.min(room, this.#queue.capacity - this.#queue.length));
  }

  #received(received: ReceivedMessage): void {
    const { streamSequence } = received.ack;
    if (this.#mayBeKnown(received) && this.#isKnown(received)) return;
    if (this.#isDraining || this.#isGone) return this.#nak(received.reply, GIVE_BACK_MS);
    this.#lastSequence = Math.max(this.#lastSequence, streamSequence);
    this.#queue.push(received);
    this.#advance();
  }

  // Servers of 2.9 now and then send a message that was given back twice, once as if it was new.
  #mayBeKnown({ ack }: ReceivedMessage): boolean {
    return ack.deliveries > 1 || ack.streamSequence <= this.#lastHanded;
  }

  /** Whether a redelivery is of something that is handled here, or was. */
  #isKnown({ ack: { streamSequence }, reply }: ReceivedMessage): boolean {
    const { group, link, emit } = this.#parts;
    const running = this.#inFlight.get(streamSequence);
    if (running === undefined && !this.#done.has(streamSequence)) return false;
    link.publish(reply, running === undefined ? ACK : WORKING);
    if (running !== undefined) running.reply = reply;
    emit({ kind: "duplicateDropped", group, topic: this.topic, partition: 0, count: 1 });
    return true;
  }

  #advanceSoon(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    queueMicrotask(() => {
      this.#isAdvancing = false;
      this.#advance();
      this.#pulls?.pull();
    });
  }

  #advance(): void {
    for (let next = this.#queue.first(); next !== undefined; next = this.#queue.first()) {
      if (
        this.#isDraining ||
        this.#isGone ||
        this.#pausedBy.has("held") ||
        this.#pausedBy.has("scheduler")
      )
        return;
      if (!this.#share.tryTake(next.sizeBytes)) return void this.#pausedBy.add("inFlight");
      this.#queue.dropFirst();
      // Both copies of a message may have been in the queue.
      if (this.#mayBeKnown(next) && this.#isKnown(next)) this.#share.give(next.sizeBytes);
      else this.#hand(next);
    }
    this.#pausedBy.delete("inFlight");
  }

  #hand(received: ReceivedMessage): void {
    const { clock, deliver } = this.#parts;
    const { streamSequence } = received.ack;
    const attempt = (this.#attempts.get(streamSequence) ?? 0) + 1;
    const parts = { attempt, ticket: -1, incarnation: 0, madeAtMs: clock.monotonicMs() };
    const delivery = new NatsDelivery(this.#ownership, received, parts);
    this.#inFlight.set(streamSequence, delivery);
    this.#lastHanded = Math.max(this.#lastHanded, streamSequence);
    this.#ownership.made();
    deliver(delivery);
  }

  #newOwnership(): Ownership {
    return new Ownership({ topic: this.#parts.topic, partition: 0 }, (delivery, settlement) =>
      this.#settled(delivery, settlement),
    );
  }

  #settled(delivery: NatsDelivery, settlement: Settlement): void {
    const { sequence } = delivery;
    // Given back already, when its time was over.
    if (this.#inFlight.get(sequence) !== delivery) return;
    this.#inFlight.delete(sequence);
    if (settlement.kind === "ack") {
      this.#done.add(sequence);
      this.#attempts.delete(sequence);
      this.#parts.link.publish(delivery.reply, ACK);
    } else if (settlement.kind === "nack") {
      this.#attempts.set(sequence, delivery.attempt);
      this.#boundAttempts();
      this.#nak(delivery.reply, Math.max(settlement.redeliverAfterMs, GIVE_BACK_MS));
    } else {
      this.#nak(delivery.reply, this.#isDraining ? GIVE_BACK_MS : OFFER_AGAIN_MS);
    }
    this.#share.give(delivery.sizeBytes);
    this.#advanceSoon();
  }

  /** Another process may have handled what failed here. */
  #boundAttempts(): void {
    const [first] = this.#attempts.keys();
    if (first !== undefined && this.#attempts.size > RecentSequences.CAPACITY)
      this.#attempts.delete(first);
  }

  #giveBackQueue(): void {
    for (const { reply } of this.#queue) this.#nak(reply, GIVE_BACK_MS);
    this.#queue.clear();
  }

  #nak(reply: string, delayMs: number): void {
    const delay = Math.ceil(delayMs * NANOS_PER_MS);
    this.#parts.link.publish(reply, Buffer.from(`-NAK {"delay": ${delay}}`));
  }

  #gaveUp(data: Uint8Array): void {
    this.givenUp += 1;
    const advisory = JSON.parse(Buffer.from(data).toString()) as {
      readonly stream_seq?: number;
      readonly deliveries?: number;
    };
    const { stream_seq: offset, deliveries } = advisory;
    const { emit, group } = this.#parts;
    const message = `the server gave up message ${this.topic} offset ${offset} after ${deliveries} deliveries: raise maxDeliver or lower the attempts of failure policies`;
    emit({ kind: "warning", message, details: { group, topic: this.topic, offset, deliveries } });
  }

  #warn(what: string, error: unknown): void {
    const message = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    this.#parts.emit({
      kind: "warning",
      message,
      details: { group: this.#parts.group, topic: this.topic },
    });
  }
}
