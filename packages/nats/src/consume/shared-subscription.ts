import { BusClosedError } from "@bus/core";
import type {
  CloseOptions,
  CloseReport,
  Deliver,
  PartitionState,
  StartFrom,
  TopicPartition,
  TopicSubscription,
  TransportHost,
  TransportSubscription,
} from "@bus/core";
import { InFlightGate } from "@bus/core/adapter";
import type { NatsLink } from "../client/nats-link.ts";
import type { ResolvedNatsOptions } from "../nats-options.ts";
import type { SharedConsumer } from "../topology/shared-consumers.ts";
import type { TopicDirectory } from "../topology/topic-directory.ts";
import { SharedTopic } from "./shared-topic.ts";

/** Shares of the ack wait after which the server is told to wait on. */
const HEARTBEATS_PER_ACK_WAIT = 3;

/** What a subscription without partitions needs. */
export interface SharedSubscriptionParts {
  readonly group: string;
  readonly topics: readonly TopicSubscription[];
  readonly transient?: boolean | undefined;
  readonly deliver: Deliver;
  readonly host: TransportHost;
  readonly options: ResolvedNatsOptions;
  readonly link: NatsLink;
  readonly directory: TopicDirectory;
  consumerOf(topic: string, startFrom: StartFrom): SharedConsumer;
  onClosed(subscription: SharedSubscription): void;
}

/** A membership in a group whose topics have no partitions. */
export class SharedSubscription implements TransportSubscription {
  readonly group: string;
  readonly #parts: SharedSubscriptionParts;
  readonly #gate: InFlightGate;
  readonly #reading = new Map<string, SharedTopic>();
  #topics: ReadonlyMap<string, TopicSubscription>;
  #changing: Promise<void> = Promise.resolve();
  #closing: Promise<CloseReport> | undefined;
  #cancelHeartbeat: (() => void) | undefined;

  constructor(parts: SharedSubscriptionParts) {
    this.group = parts.group;
    this.#parts = parts;
    this.#topics = new Map();
    this.#gate = new InFlightGate({
      maxMessages: parts.options.maxAckPending,
      maxBytes: parts.options.maxInFlightBytes,
    });
    this.#heartbeat();
  }

  /** What health should know; empty when all is well. */
  get trouble(): string {
    const givenUp = [...this.#reading.values()].reduce((sum, topic) => sum + topic.givenUp, 0);
    return givenUp === 0
      ? ""
      : `the server gave up ${givenUp} messages after maxDeliver deliveries`;
  }

  /** Errors: those of `Subscriber.subscribe`; then the subscription is closed. */
  async join(): Promise<void> {
    try {
      await this.#change(this.#parts.topics);
    } catch (error) {
      await this.close({ drainTimeoutMs: 0 });
      throw error;
    }
  }

  update(topics: readonly TopicSubscription[]): Promise<void> {
    const change = this.#changing.then(() => this.#change(topics));
    this.#changing = change.catch(() => undefined);
    return change;
  }

  pause({ topic }: TopicPartition): void {
    this.#reading.get(topic)?.pause("scheduler");
  }

  resume({ topic }: TopicPartition): void {
    this.#reading.get(topic)?.resume("scheduler");
  }

  partitions(): readonly PartitionState[] {
    return Array.from(this.#reading.values(), (topic) => topic.describe());
  }

  /** Where the group begins in a topic without a position; `undefined` for another topic. */
  startsFrom(topic: string): StartFrom | undefined {
    const subscription = this.#topics.get(topic);
    return subscription && (subscription.startFrom ?? this.#parts.options.startFrom);
  }

  close(options: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close({ drainTimeoutMs }: CloseOptions): Promise<CloseReport> {
    this.#cancelHeartbeat?.();
    const topics = [...this.#reading.values()];
    const counts = await Promise.all(topics.map((topic) => topic.drain(drainTimeoutMs)));
    // What was acknowledged last must have been read before the connection ends.
    await this.#parts.link.flush().catch(() => undefined);
    for (const topic of topics) topic.end();
    if (this.#parts.transient === true) await Promise.all(topics.map((topic) => topic.discard()));
    this.#reading.clear();
    this.#parts.onClosed(this);
    return { abandonedDeliveries: counts.reduce((sum, count) => sum + count, 0) };
  }

  async #change(topics: readonly TopicSubscription[]): Promise<void> {
    const { directory, group, host, options } = this.#parts;
    this.#requireOpen();
    const wanted = new Map(topics.map((topic) => [topic.topic, topic]));
    const added = topics.filter(({ topic }) => !this.#reading.has(topic));
    await directory.ensure(added.map(({ topic }) => topic));
    const begun = await Promise.all(added.map((topic) => this.#begin(topic)));
    this.#requireOpen();
    const leaving = [...this.#reading.values()].filter(({ topic }) => !wanted.has(topic));
    const holding = [...this.#reading.values()].filter(
      ({ topic }) => wanted.get(topic)?.held === true && this.#topics.get(topic)?.held !== true,
    );
    for (const topic of holding) topic.pause("held");
    await Promise.all([...leaving, ...holding].map((topic) => topic.drain(options.drainTimeoutMs)));
    for (const topic of leaving) {
      topic.end();
      this.#reading.delete(topic.topic);
    }
    this.#requireOpen();
    for (const topic of begun) this.#reading.set(topic.topic, topic);
    this.#topics = wanted;
    for (const [name, topic] of this.#reading) this.#apply(topic, wanted.get(name)?.held === true);
    const changed = (list: readonly { readonly topic: string }[]): readonly TopicPartition[] =>
      list.map(({ topic }) => ({ topic, partition: 0 }));
    if (leaving.length > 0)
      host.emit({ kind: "revoked", group, partitions: changed(leaving), lost: false });
    if (begun.length > 0) host.emit({ kind: "assigned", group, partitions: changed(begun) });
  }

  #apply(topic: SharedTopic, isHeld: boolean): void {
    if (isHeld) return topic.pause("held");
    topic.resume("held");
    topic.start();
  }

  async #begin({
    topic,
    startFrom = this.#parts.options.startFrom,
  }: TopicSubscription): Promise<SharedTopic> {
    const { deliver, group, host, link, options } = this.#parts;
    const consumer = this.#parts.consumerOf(topic, startFrom);
    await consumer.open();
    return new SharedTopic({
      group,
      topic,
      stream: options.stream.name,
      consumer,
      link,
      gate: this.#gate,
      clock: host.clock,
      random: host.random,
      deliver,
      emit: host.emit,
      maxInFlight: options.maxAckPending,
    });
  }

  #heartbeat(): void {
    const { host, link, options } = this.#parts;
    const everyMs = options.ackWaitMs / HEARTBEATS_PER_ACK_WAIT;
    this.#cancelHeartbeat = host.clock.schedule(() => {
      const beforeMs = host.clock.monotonicMs() - everyMs / 2;
      if (link.isConnected) for (const topic of this.#reading.values()) topic.keepWaiting(beforeMs);
      this.#heartbeat();
    }, everyMs);
  }

  #requireOpen(): void {
    if (this.#closing !== undefined)
      throw new BusClosedError(`the subscription of group ${this.group} is closed`);
  }
}
