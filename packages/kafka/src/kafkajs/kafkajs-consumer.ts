import { BusError, BusTransportError } from "@bus/core";
import type { TopicPartition, TransportHost } from "@bus/core";
import { backOffMs } from "@bus/core/adapter";
import type { Cluster } from "kafkajs";
import type {
  ConsumerSink,
  DriverConsumer,
  DriverOffsets,
  DriverTopic,
  PartitionOffset,
  RecordDecoder,
} from "../kafka-driver.ts";
import type { DriverOptions } from "../driver-options.ts";
import { ConsumerSession } from "./consumer-session.ts";
import { FetchHandOver } from "./fetch-hand-over.ts";
import { GroupMembership } from "./group-membership.ts";
import { kafkajsClient } from "./kafkajs-client.ts";
import { consumerProperties } from "./kafkajs-properties.ts";
import { LazyFetch } from "./lazy-fetch.ts";
import { mapKafkajsError } from "./map-kafkajs-error.ts";
import { PartitionFetch } from "./partition-fetch.ts";
import { PresentTopics } from "./present-topics.ts";
import type { PresentTopicsParts } from "./present-topics.ts";
import { roundRobinAssigner } from "./round-robin-assigner.ts";
import { SeedBrokers } from "./seed-brokers.ts";
import { StartPositions } from "./start-positions.ts";

/** Waits between attempts to come back to a group. */
const REBUILD_BACK_OFF = Object.freeze({ baseMs: 200, maxMs: 5_000, jitter: 0.2 });

/** Reads a record's fields when they are asked for, where kafkajs makes an object of every record. */
const OWN_DECODER: RecordDecoder = Object.freeze({ name: "@bus/kafka" });

/** Beyond the longest wait of one step of connecting. */
const CONNECT_MARGIN_MS = 1_000;

/** What a consumer needs. */
export interface KafkajsConsumerParts {
  readonly group: string;
  readonly options: DriverOptions;
  readonly host: TransportHost;
  readonly sink: ConsumerSink;
  readonly admin: DriverOffsets & Pick<PresentTopicsParts, "existing">;
}

interface Waiter {
  readonly deadlineAtMs: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * A member of a group with kafkajs: one session at a time, rebuilt with the same topics, pauses and member id whenever
 * it crashes or its topics change.
 */
export class KafkajsConsumer implements DriverConsumer {
  readonly #parts: KafkajsConsumerParts;
  readonly #membership: GroupMembership;
  readonly #fetch: PartitionFetch;
  readonly #handOver: FetchHandOver;
  readonly #lazyFetch: LazyFetch;
  readonly #startPositions: StartPositions;
  readonly #present: PresentTopics;
  readonly #seeds: SeedBrokers;
  readonly #assigner: ReturnType<typeof roundRobinAssigner>;
  #topics: readonly DriverTopic[] = [];
  #owned: readonly TopicPartition[] = [];
  #isReleased = false;
  #session: ConsumerSession | undefined;
  #attempt = 0;
  #waiter: Waiter | undefined;
  #cancelRestart = (): void => undefined;
  #cancelWatch = (): void => undefined;
  #isClosed = false;

  constructor(parts: KafkajsConsumerParts) {
    const { options, host, sink, group } = parts;
    this.#parts = parts;
    this.#membership = new GroupMembership({
      group,
      clock: host.clock,
      heartbeatIntervalMs: options.consumer.heartbeatIntervalMs,
      beforeJoin: () => this.#release(),
      onExpelled: () => this.#lose(),
    });
    this.#handOver = new FetchHandOver({ sink, isolationLevel: options.consumer.isolationLevel });
    this.#fetch = new PartitionFetch({
      clock: host.clock,
      maxWaitMs: options.consumer.fetchMaxWaitMs,
      onFetching: (request) => this.#handOver.fetching(request),
      onFetched: (request, answer) => this.#handOver.handOver(request, answer),
    });
    const { rackId } = options.client.consumer;
    this.#lazyFetch = new LazyFetch(typeof rackId === "string" ? { rackId } : {});
    this.#startPositions = new StartPositions(group, parts.admin);
    this.#present = new PresentTopics({
      group,
      host,
      existing: (topics) => parts.admin.existing(topics),
      onFound: () => void this.#renew(),
    });
    this.#seeds = new SeedBrokers(options.brokers);
    this.#assigner = roundRobinAssigner({ onCluster: (cluster) => this.#attach(cluster) });
  }

  async subscribe(topics: readonly DriverTopic[]): Promise<void> {
    await this.#startPositions.check(topics);
    this.#topics = topics;
    this.#cancelRestart();
    await this.#endSession();
    await new Promise<void>((resolve, reject) => {
      const deadlineAtMs =
        this.#parts.host.clock.monotonicMs() + this.#parts.options.connectTimeoutMs;
      this.#waiter = { deadlineAtMs, resolve, reject };
      void this.#start();
    });
  }

  pause(partition: TopicPartition): void {
    this.#fetch.pause(partition);
  }

  resume(partition: TopicPartition): void {
    this.#fetch.resume(partition);
  }

  seek({ topic, partition, offset }: PartitionOffset): void {
    this.#session?.seek({ topic, partition }, offset);
  }

  get decoder(): RecordDecoder {
    const { decoder } = this.#lazyFetch;
    if (decoder.kind === "lazy") return OWN_DECODER;
    return { name: "kafkajs", fallbackReason: decoder.reason };
  }

  commit(offsets: readonly PartitionOffset[]): Promise<void> {
    return this.#membership.commit(offsets);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRestart();
    this.#cancelWatch();
    this.#present.close();
    this.#membership.leave();
    this.#fetch.wake();
    const session = this.#session;
    this.#session = undefined;
    await session?.stop();
  }

  /** Begin a session anew with the topics that there are now. */
  async #renew(): Promise<void> {
    if (this.#isClosed || this.#waiter !== undefined || this.#session === undefined) return;
    await this.#endSession();
    await this.#start();
  }

  /** End the session, but not the membership: partitions are settled first, then the next session joins as the same member. */
  async #endSession(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    await this.#release();
    this.#session = undefined;
    this.#fetch.wake();
    await session.stop();
  }

  async #start(): Promise<void> {
    if (this.#isClosed) return;
    const { options, host, group } = this.#parts;
    const config = this.#lazyFetch.consumerConfig({
      ...consumerProperties(options, group),
      partitionAssigners: [this.#assigner],
    });
    // The first time a missing topic is an error; later it must not stop the others.
    const topics = this.#waiter === undefined ? await this.#present.of(this.#topics) : this.#topics;
    if (this.#isClosed || this.#session !== undefined) return;
    const session: ConsumerSession = new ConsumerSession({
      client: kafkajsClient({ ...options, brokers: this.#seeds.order }, host.logger),
      config,
      topics,
      clock: host.clock,
      connectTimeoutMs:
        Math.max(options.net.dialTimeoutMs, options.net.readTimeoutMs) + CONNECT_MARGIN_MS,
      onJoined: (partitions) => this.#joined(session, partitions),
      onCrashed: (error) => this.#crashed(session, error),
    });
    this.#session = session;
    try {
      await session.start();
      if (this.#session === session) await this.#started();
    } catch (error) {
      this.#crashed(session, error);
    }
  }

  async #started(): Promise<void> {
    if (this.#attempt > 0) this.#parts.host.emit({ kind: "connected" });
    this.#attempt = 0;
    this.#watch();
    // What is published from now on must not lie before a start that has not been looked up yet.
    await this.#handOver.begun(this.#owned.filter(({ topic }) => this.#startsLatest(topic)));
    this.#waiter?.resolve();
    this.#waiter = undefined;
  }

  #startsLatest(topic: string): boolean {
    return this.#topics.find((one) => one.topic === topic)?.startFrom === "latest";
  }

  #crashed(session: ConsumerSession, cause: unknown): void {
    if (this.#session !== session || this.#isClosed) return;
    this.#session = undefined;
    const [first] = this.#seeds.order;
    this.#seeds.suspect(session.hasJoined ? this.#membership.coordinatorAddress : first);
    const { host, group, sink } = this.#parts;
    const error = mapKafkajsError(cause, { doing: `consuming with group ${group}` });
    if (this.#waiter !== undefined && this.#isHopeless(error, this.#waiter)) {
      this.#lose();
      this.#waiter.reject(error);
      this.#waiter = undefined;
      return;
    }
    if (BusError.is(error, "BUS_NO_OFFSET")) {
      sink.ended(error);
      return;
    }
    host.emit({ kind: "disconnected", error });
    this.#restartLater(error);
  }

  #isHopeless(error: BusError, waiter: Waiter): boolean {
    if (!error.retryable && error.code !== "BUS_FENCED") return true;
    return (
      !this.#membership.isMember && this.#parts.host.clock.monotonicMs() >= waiter.deadlineAtMs
    );
  }

  #restartLater(error: BusError): void {
    const { host } = this.#parts;
    this.#attempt += 1;
    host.emit({ kind: "reconnecting", attempt: this.#attempt, error });
    const delayMs = backOffMs(this.#attempt, REBUILD_BACK_OFF, host.random);
    this.#cancelRestart = host.clock.schedule(() => void this.#start(), delayMs);
  }

  #attach(cluster: Cluster): void {
    this.#membership.attach(cluster);
    this.#fetch.attach(cluster);
    this.#startPositions.attach(cluster);
  }

  #joined(session: ConsumerSession, partitions: readonly TopicPartition[]): void {
    if (this.#session !== session) return;
    this.#isReleased = false;
    this.#owned = partitions;
    this.#handOver.joined(partitions);
    for (const { offset, ...partition } of this.#parts.sink.owned(partitions))
      session.seek(partition, offset);
  }

  /** Let the owner drain and commit, once until the next join. */
  async #release(): Promise<void> {
    if (this.#isReleased || this.#owned.length === 0) return;
    this.#isReleased = true;
    await this.#parts.sink.releasing(this.#owned);
  }

  #lose(): void {
    const lost = this.#owned;
    this.#owned = [];
    this.#parts.sink.lost(lost);
  }

  /** Without an answer from the coordinator for a session's time, the group has given our partitions to others. */
  #watch(): void {
    const { clock } = this.#parts.host;
    const { heartbeatIntervalMs, sessionTimeoutMs } = this.#parts.options.consumer;
    this.#cancelWatch();
    this.#cancelWatch = clock.schedule(() => {
      const silentMs = clock.monotonicMs() - this.#membership.lastContactMs;
      if (silentMs > sessionTimeoutMs && !this.#membership.isJoining)
        this.#outlastSilence(silentMs);
      this.#watch();
    }, heartbeatIntervalMs);
  }

  #outlastSilence(silentMs: number): void {
    if (this.#owned.length > 0) this.#lose();
    const session = this.#session;
    if (session === undefined) return;
    const message = `the coordinator of group ${this.#parts.group} has not answered for ${Math.round(silentMs)} ms`;
    this.#membership.lastContactMs = this.#parts.host.clock.monotonicMs();
    void session.stop();
    this.#crashed(session, new BusTransportError("BUS_TRANSPORT", message));
  }
}
