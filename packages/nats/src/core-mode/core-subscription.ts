import { BusClosedError } from "@bus/core";
import type {
  CloseOptions,
  CloseReport,
  Deliver,
  PartitionState,
  PauseReason,
  Settlement,
  TopicPartition,
  TopicSubscription,
  TransportHost,
  TransportSubscription,
} from "@bus/core";
import { InFlightGate, wait } from "@bus/core/adapter";
import type { GateShare } from "@bus/core/adapter";
import type { LinkMessage, LinkSubscription, NatsLink } from "../client/nats-link.ts";
import { receivedMessage, NatsDelivery } from "../consume/nats-delivery.ts";
import { Ownership } from "../consume/ownership.ts";
import type { ResolvedNatsOptions } from "../nats-options.ts";
import { checkTopic } from "../topology/subjects.ts";

const ABORT_GRACE_MS = 250;
/** Losses are told of at most so often. */
const REPORT_EVERY_MS = 1_000;

/** What a subscription without a stream needs. */
export interface CoreSubscriptionParts {
  readonly group: string;
  readonly deliver: Deliver;
  readonly host: TransportHost;
  readonly options: ResolvedNatsOptions;
  readonly link: NatsLink;
  onClosed(subscription: CoreSubscription): void;
}

interface Reading {
  readonly topic: string;
  readonly share: GateShare;
  readonly pausedBy: Set<PauseReason>;
  readonly live: LinkSubscription;
}

/**
 * A membership in a queue group of core NATS, at most once: what comes while there is no room, while a topic is paused, held or
 * draining, or is given back, is gone; it is counted and told of.
 */
export class CoreSubscription implements TransportSubscription {
  readonly group: string;
  readonly #parts: CoreSubscriptionParts;
  readonly #gate: InFlightGate;
  readonly #reading = new Map<string, Reading>();
  readonly #ownerships = new Map<string, Ownership>();
  #lost = 0;
  #lostUntold = 0;
  #sequence = 0;
  #cancelReport: (() => void) | undefined;
  #closing: Promise<CloseReport> | undefined;

  constructor(parts: CoreSubscriptionParts) {
    this.group = parts.group;
    this.#parts = parts;
    this.#gate = new InFlightGate({
      maxMessages: parts.options.maxAckPending,
      maxBytes: parts.options.maxInFlightBytes,
    });
  }

  /** Messages that came and were not handled. */
  get lost(): number {
    return this.#lost;
  }

  async update(topics: readonly TopicSubscription[]): Promise<void> {
    if (this.#closing !== undefined)
      throw new BusClosedError(`the subscription of group ${this.group} is closed`);
    for (const { topic } of topics) checkTopic(topic);
    const wanted = new Map(topics.map((topic) => [topic.topic, topic]));
    const leaving = [...this.#reading.keys()].filter((topic) => !wanted.has(topic));
    await Promise.all(
      leaving.map((topic) => this.#leave(topic, this.#parts.options.drainTimeoutMs)),
    );
    for (const { topic, held = false } of topics) {
      const reading = this.#reading.get(topic) ?? this.#read(topic);
      if (held) reading.pausedBy.add("held");
      else reading.pausedBy.delete("held");
    }
    // Until the server knows of it, what is published is not for us.
    await this.#parts.link.flush();
  }

  pause({ topic }: TopicPartition): void {
    this.#reading.get(topic)?.pausedBy.add("scheduler");
  }

  resume({ topic }: TopicPartition): void {
    this.#reading.get(topic)?.pausedBy.delete("scheduler");
  }

  partitions(): readonly PartitionState[] {
    return Array.from(this.#reading.values(), ({ topic, share, pausedBy }) => ({
      topic,
      partition: 0,
      inFlightMessages: share.messages,
      inFlightBytes: share.bytes,
      committedOffset: undefined,
      oldestUnsettled: undefined,
      pausedBy: [...pausedBy],
    }));
  }

  close({ drainTimeoutMs }: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#close(drainTimeoutMs);
    return this.#closing;
  }

  async #close(drainTimeoutMs: number): Promise<CloseReport> {
    const topics = [...this.#reading.keys()];
    const counts = await Promise.all(topics.map((topic) => this.#leave(topic, drainTimeoutMs)));
    this.#report();
    this.#cancelReport?.();
    this.#parts.onClosed(this);
    return { abandonedDeliveries: counts.reduce((sum, count) => sum + count, 0) };
  }

  #read(topic: string): Reading {
    const { link } = this.#parts;
    const live = link.subscribe(topic, (message) => this.#received(topic, message), {
      queue: this.group,
    });
    // Nothing waits here: what finds no room is not there any more when there is some.
    const share = this.#gate.share(() => undefined);
    const reading = { topic, share, live, pausedBy: new Set<PauseReason>() };
    this.#reading.set(topic, reading);
    this.#ownerships.set(
      topic,
      new Ownership({ topic, partition: 0 }, (delivery, settlement) =>
        this.#settled(share, delivery, settlement),
      ),
    );
    return reading;
  }

  async #leave(topic: string, budgetMs: number): Promise<number> {
    const { clock } = this.#parts.host;
    const reading = this.#reading.get(topic);
    const ownership = this.#ownerships.get(topic);
    if (reading === undefined || ownership === undefined) return 0;
    const stopped = reading.live.drain();
    ownership.drain();
    const idle = new AbortController();
    ownership.whenIdle(() => idle.abort());
    const isLate = await wait(clock, budgetMs, idle.signal);
    const abandoned = isLate ? ownership.unsettled : 0;
    ownership.end();
    if (isLate) await wait(clock, ABORT_GRACE_MS, idle.signal);
    await stopped;
    reading.share.close();
    this.#reading.delete(topic);
    this.#ownerships.delete(topic);
    return abandoned;
  }

  #received(topic: string, message: LinkMessage): void {
    const { clock } = this.#parts.host;
    const reading = this.#reading.get(topic);
    const ownership = this.#ownerships.get(topic);
    if (reading === undefined || ownership === undefined) return this.#lose();
    this.#sequence += 1;
    const ack = {
      deliveries: 1,
      streamSequence: this.#sequence,
      consumerSequence: this.#sequence,
      timestampMs: clock.now(),
    };
    const received = receivedMessage(message, "", ack);
    const isOpen = reading.pausedBy.size === 0 && !ownership.draining.aborted;
    if (!isOpen || !reading.share.tryTake(received.sizeBytes)) return this.#lose();
    const madeAtMs = clock.monotonicMs();
    const delivery = new NatsDelivery(ownership, received, {
      attempt: 1,
      ticket: -1,
      incarnation: 0,
      madeAtMs,
    });
    ownership.made();
    this.#parts.deliver(delivery);
  }

  #settled(share: GateShare, delivery: NatsDelivery, settlement: Settlement): void {
    share.give(delivery.sizeBytes);
    if (settlement.kind !== "ack") this.#lose();
  }

  #lose(): void {
    this.#lost += 1;
    this.#lostUntold += 1;
    this.#cancelReport ??= this.#parts.host.clock.schedule(() => {
      this.#cancelReport = undefined;
      this.#report();
    }, REPORT_EVERY_MS);
  }

  #report(): void {
    if (this.#lostUntold === 0) return;
    const count = this.#lostUntold;
    this.#lostUntold = 0;
    const message = `${count} messages of group ${this.group} were not handled: there was no room, or they were given back; core NATS delivers at most once`;
    this.#parts.host.emit({
      kind: "warning",
      message,
      details: { group: this.group, count, total: this.#lost },
    });
  }
}
