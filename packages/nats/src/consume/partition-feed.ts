import type { Clock } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import type { NatsLink } from "../client/nats-link.ts";
import type { Lease } from "../leases/lease-contract.ts";
import type { PartitionConsumers } from "../topology/partition-consumers.ts";
import type { ReceivedMessage } from "./nats-delivery.ts";
import { PullStream } from "./pull-stream.ts";

const REOPEN = Object.freeze({ baseMs: 200, maxMs: 5_000, jitter: 0.2 });

/** What a feed tells the partition that it feeds. */
export interface FeedListener {
  /** The consumer is there; the first sequence that can come. */
  opened(start: number): void;
  /** The consumer is made again; what waits is to be forgotten. @returns The sequence at which it begins. */
  reopening(): number;
  /** More messages that may be asked for now. */
  wanted(): number;
  /** A message, each in its place: none of this incarnation is missing before it. */
  received(message: ReceivedMessage): void;
  /** Connected again, and nothing was lost: what was said meanwhile was not heard. */
  resumed(): void;
  /** The consumer cannot be had; it is tried again. */
  failed(error: unknown): void;
  /** The consumer is there. */
  began(): void;
}

/** What a feed is made of. */
export interface PartitionFeedParts {
  readonly group: string;
  readonly lease: Lease;
  readonly stream: string;
  readonly link: NatsLink;
  readonly consumers: PartitionConsumers;
  readonly clock: Clock;
  readonly random: () => number;
  /** First sequence when the group has no position. */
  readonly initialStart: () => Promise<number>;
  readonly listener: FeedListener;
}

/**
 * The messages of one epoch of one partition, in order and without gaps.
 *
 * Deliveries of a consumer are numbered. When one is missing (lost with a connection), the consumer is made again from
 * the position on; waiting for a redelivery would put it behind newer messages.
 */
export class PartitionFeed {
  /** How often the consumer was made again: who acknowledges must speak to this one. */
  incarnation = 0;
  readonly #parts: PartitionFeedParts;
  readonly #closed = new AbortController();
  readonly #stopListening: () => void;
  #pulls: PullStream | undefined;
  #lastConsumerSequence = 0;
  #isOpen = false;
  #isReopening = false;

  constructor(parts: PartitionFeedParts) {
    this.#parts = parts;
    this.#stopListening = parts.link.listen({
      connected: () => void this.#checkDelivered(),
      disconnected: () => undefined,
    });
  }

  /** Take the partition over, for as long as it takes. */
  async open(): Promise<void> {
    const { consumers, group, initialStart, lease, listener } = this.#parts;
    await this.#patiently(async () => {
      const start = await consumers.takeOver({ ...lease, group, initialStart });
      if (this.#isStopped) return;
      this.#isOpen = true;
      listener.opened(start);
      this.#startPulls();
    });
  }

  /** Ask for more messages if enough of them are wanted. */
  pull(): void {
    this.#pulls?.pull();
  }

  /** Idempotent. */
  stop(): void {
    this.#closed.abort();
    this.#stopListening();
    this.#pulls?.stop();
  }

  get #isStopped(): boolean {
    return this.#closed.signal.aborted;
  }

  async #reopen(): Promise<void> {
    if (this.#isReopening || this.#isStopped) return;
    this.#isReopening = true;
    this.#pulls?.stop();
    this.incarnation += 1;
    const { consumers, group, lease, listener } = this.#parts;
    await this.#patiently(async () => {
      await consumers.restore({ ...lease, group }, listener.reopening());
      this.#isReopening = false;
      if (!this.#isStopped) this.#startPulls();
    });
  }

  /** Try until it works or the partition is not ours any more. */
  async #patiently(attempt: () => Promise<void>): Promise<void> {
    const { clock, listener, random } = this.#parts;
    for (let attempts = 1; !this.#isStopped; attempts += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (this.#isStopped) return;
        listener.failed(error);
        await wait(clock, backOffMs(attempts, REOPEN, random), this.#closed.signal);
      }
    }
  }

  #startPulls(): void {
    const { clock, consumers, group, lease, link, listener, random, stream } = this.#parts;
    this.#lastConsumerSequence = 0;
    listener.began();
    const at = { ...lease, group };
    this.#pulls = new PullStream({
      link,
      clock,
      random,
      stream,
      consumer: consumers.nameOf(at, lease.epoch),
      exists: async () => (await consumers.find(at, lease.epoch)) !== undefined,
      listener: {
        wanted: () => listener.wanted(),
        received: (received) => this.#received(received),
        consumerGone: () => void this.#reopen(),
      },
    });
    this.#pulls.pull();
  }

  #received(received: ReceivedMessage): void {
    const { consumerSequence } = received.ack;
    if (consumerSequence !== this.#lastConsumerSequence + 1) return void this.#reopen();
    this.#lastConsumerSequence = consumerSequence;
    this.#parts.listener.received(received);
  }

  /** What the server has sent and has not come was lost with the connection. */
  async #checkDelivered(): Promise<void> {
    if (!this.#isOpen || this.#isReopening) return;
    const { consumers, group, lease, listener } = this.#parts;
    const { incarnation } = this;
    const came = this.#lastConsumerSequence;
    // Without an answer it is safer to begin anew, which asks again and again.
    const info = await consumers.find({ ...lease, group }, lease.epoch).catch(() => undefined);
    if (this.#isStopped || incarnation !== this.incarnation) return;
    const delivered = info?.delivered.consumer_seq ?? -1;
    if (delivered < came || this.#lastConsumerSequence < delivered) return await this.#reopen();
    listener.resumed();
  }
}
