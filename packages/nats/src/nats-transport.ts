import { BusClosedError, BusTransportError } from "@bus/core";
import type {
  Capabilities,
  CloseOptions,
  CloseReport,
  ComponentHealth,
  Deliver,
  HealthReport,
  OutgoingMessage,
  PublishReceipt,
  StartFrom,
  SubscriptionRequest,
  Transport,
  TransportHost,
  TransportSubscription,
} from "@bus/core";
import { JetStreamApi } from "./client/jetstream-api.ts";
import { describeConnection } from "./client/open-connection.ts";
import { ConnectionState } from "./connection-state.ts";
import { createLeasing } from "./create-leasing.ts";
import { SoleOwner } from "./consume/sole-owner.ts";
import { PartitionedSubscription } from "./consume/partitioned-subscription.ts";
import { SharedSubscription } from "./consume/shared-subscription.ts";
import type { PartitionLeasing } from "./consume/partition-member.ts";
import type { LeaseListener } from "./leases/lease-contract.ts";
import type { ResolvedNatsOptions } from "./nats-options.ts";
import { NatsPublisher } from "./nats-publisher.ts";
import { ConsumerAdmin } from "./topology/consumer-admin.ts";
import type { ConsumerInfo } from "./topology/consumer-admin.ts";
import { NatsLagReader } from "./topology/nats-lag-reader.ts";
import { NatsTopics } from "./topology/nats-topics.ts";
import { PartitionConsumers } from "./topology/partition-consumers.ts";
import type { GroupPartition } from "./topology/partition-consumers.ts";
import { SharedConsumer } from "./topology/shared-consumers.ts";
import { StreamAdmin } from "./topology/stream-admin.ts";
import { newStreamConfig } from "./topology/stream-config.ts";
import { escapedToken } from "./topology/subjects.ts";
import { TopicDirectory } from "./topology/topic-directory.ts";
import { TopicRecordStore } from "./topology/topic-records.ts";

/** Longest delay of a redelivery: what the server takes is longer than anybody waits. */
const MAX_REDELIVERY_DELAY_MS = 86_400_000;
const PING_TIMEOUT_MS = 5_000;
/** How long the server keeps the consumers of a group that nobody comes back to, should its process vanish. */
const FORGET_TRANSIENT_MS = 300_000;

type NatsSubscription = PartitionedSubscription | SharedSubscription;

/** JetStream behind the transport contract. */
export class NatsTransport implements Transport {
  readonly name = "nats";
  readonly capabilities: Capabilities;
  readonly #options: ResolvedNatsOptions;
  readonly #host: TransportHost;
  readonly #connection: ConnectionState;
  readonly #api: JetStreamApi;
  readonly #stream: StreamAdmin;
  readonly #directory: TopicDirectory;
  readonly #consumers: ConsumerAdmin;
  readonly #partitionConsumers: PartitionConsumers;
  readonly #transientConsumers: PartitionConsumers;
  readonly #publisher: NatsPublisher;
  readonly #subscriptions = new Map<string, NatsSubscription>();
  #connecting: Promise<void> | undefined;
  #isConnected = false;
  /** Publishes that wait for the connection: later ones do not overtake them. */
  #earlyPublishes = 0;
  #closing: Promise<CloseReport> | undefined;

  constructor(options: ResolvedNatsOptions, host: TransportHost) {
    this.#options = options;
    this.#host = host;
    this.#connection = new ConnectionState(options, host);
    const { link } = this.#connection;
    this.#api = new JetStreamApi(link, host);
    this.#stream = new StreamAdmin(this.#api, options.stream);
    this.#consumers = new ConsumerAdmin(this.#api, host.clock, options.stream.name);
    const settings = {
      durable: options.durable,
      ackWaitMs: options.ackWaitMs,
      // The bound is kept here; the server's must leave room for what is settled ahead and not acknowledged.
      maxAckPending: options.maxAckPending + options.maxUncommittedMessages,
    };
    this.#partitionConsumers = new PartitionConsumers(this.#consumers, settings);
    this.#transientConsumers = new PartitionConsumers(this.#consumers, {
      ...settings,
      forgetAfterMs: FORGET_TRANSIENT_MS,
    });
    const bucket = `${escapedToken(options.durable)}-${escapedToken(options.stream.name)}-topics`;
    const { replicas } = options.stream;
    this.#directory = new TopicDirectory({
      options,
      stream: this.#stream,
      records: new TopicRecordStore({ api: this.#api, link, host, bucket, replicas }),
      onDrift: (drift) => {
        const message = `${drift.topic}: ${drift.property} is ${drift.actual}, expected ${drift.expected}`;
        host.emit({ kind: "warning", message, details: { ...drift } });
      },
    });
    this.#publisher = new NatsPublisher({ link, host, options, directory: this.#directory });
    this.capabilities = this.#capabilities();
  }

  connect(): Promise<void> {
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    const isNext = this.#isConnected && this.#earlyPublishes === 0;
    if (isNext || this.#closing !== undefined) return this.#publisher.publish(messages);
    return this.#publishOnceConnected(messages);
  }

  async subscribe(request: SubscriptionRequest, deliver: Deliver): Promise<TransportSubscription> {
    if (this.#closing !== undefined)
      throw new BusClosedError("the nats transport is closed, nothing can be subscribed");
    await this.connect();
    const { group } = request;
    const subscription = this.#newSubscription(request, deliver);
    this.#subscriptions.set(group, subscription);
    try {
      await subscription.join();
      return subscription;
    } catch (error) {
      this.#subscriptions.delete(group);
      throw error;
    }
  }

  close(options: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #publishOnceConnected(
    messages: readonly OutgoingMessage[],
  ): Promise<readonly PublishReceipt[]> {
    this.#earlyPublishes += 1;
    try {
      await this.connect();
    } finally {
      this.#earlyPublishes -= 1;
    }
    return await this.#publisher.publish(messages);
  }

  async #connect(): Promise<void> {
    await this.#connection.connect();
    await this.#requireJetStream();
    await this.#directory.reportDrift();
    this.#isConnected = true;
  }

  async #requireJetStream(): Promise<void> {
    try {
      await this.#api.call("INFO", undefined, { patienceMs: this.#options.connectTimeoutMs });
    } catch (error) {
      const message =
        "jetstream does not answer: enable it on the server and for this account, or set mode to core";
      throw new BusTransportError("BUS_CONNECT", message, {
        cause: error,
        details: { path: "mode" },
      });
    }
  }

  async #close(options: CloseOptions): Promise<CloseReport> {
    const connected = this.#connecting?.catch(() => undefined);
    const reports = await Promise.all(
      Array.from(this.#subscriptions.values(), (one) => one.close(options)),
    );
    if (this.#connection.link.isConnected || this.#connecting !== undefined)
      await this.#publisher.close(options.drainTimeoutMs);
    await this.#connection.close();
    await connected;
    return {
      abandonedDeliveries: reports.reduce((sum, report) => sum + report.abandonedDeliveries, 0),
    };
  }

  #newSubscription(request: SubscriptionRequest, deliver: Deliver): NatsSubscription {
    const { link } = this.#connection;
    const { group, transient: isTransient = false } = request;
    const parts = {
      ...request,
      deliver,
      host: this.#host,
      options: this.#options,
      link,
      directory: this.#directory,
      stream: this.#stream,
      onClosed: (closed: NatsSubscription) => {
        if (this.#subscriptions.get(group) === closed) this.#subscriptions.delete(group);
      },
    };
    if (this.#options.partitions === undefined)
      return new SharedSubscription({
        ...parts,
        consumerOf: (topic, startFrom) =>
          this.#sharedConsumer({ group, topic, startFrom, isTransient }),
      });
    return new PartitionedSubscription({
      ...parts,
      consumers: isTransient ? this.#transientConsumers : this.#partitionConsumers,
      createLeasing: (listener) =>
        isTransient ? this.#soleOwner(group, listener) : this.#leasing(group, listener),
    });
  }

  #leasing(group: string, listener: LeaseListener): PartitionLeasing {
    const { link } = this.#connection;
    const parts = { group, listener, api: this.#api, link, host: this.#host };
    return createLeasing({ ...parts, options: this.#options });
  }

  #soleOwner(group: string, listener: LeaseListener): PartitionLeasing {
    return new SoleOwner({
      listener,
      discard: (lease) => this.#transientConsumers.discard({ ...lease, group }, lease.epoch),
    });
  }

  #sharedConsumer(at: {
    readonly group: string;
    readonly topic: string;
    readonly startFrom: StartFrom;
    readonly isTransient?: boolean;
  }): SharedConsumer {
    const { durable, ackWaitMs, maxAckPending, maxDeliver } = this.#options;
    const forgetAfterMs = at.isTransient === true ? FORGET_TRANSIENT_MS : undefined;
    const settings = { durable, ackWaitMs, maxAckPending, maxDeliver, forgetAfterMs };
    return new SharedConsumer(this.#consumers, this.#stream, { ...at, settings });
  }

  #findConsumer(at: GroupPartition): Promise<ConsumerInfo | undefined> {
    return this.#options.partitions === undefined
      ? this.#sharedConsumer({ ...at, startFrom: "none" }).find()
      : this.#partitionConsumers.newest(at);
  }

  #capabilities(): Capabilities {
    const { partitions, startFrom } = this.#options;
    const lag = new NatsLagReader({
      api: this.#api,
      clock: this.#host.clock,
      stream: this.#stream,
      directory: this.#directory,
      findConsumer: (at) => this.#findConsumer(at),
      startsFrom: (group, topic) => this.#subscriptions.get(group)?.startsFrom(topic) ?? startFrom,
    });
    return {
      ordering: partitions === undefined ? "none" : "partition",
      ...(partitions === undefined
        ? { delayedRedelivery: { maxDelayMs: MAX_REDELIVERY_DELAY_MS } }
        : {}),
      lag,
      topics: new NatsTopics(this.#directory, this.#stream, partitions),
      health: { report: () => this.#health() },
      ping: { ping: (signal) => this.#ping(signal) },
      description: { describe: () => this.#describe() },
    };
  }

  async #ping(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#connection.link.request("$JS.API.INFO", new Uint8Array(0), PING_TIMEOUT_MS);
  }

  #describe(): Readonly<Record<string, unknown>> {
    const { stream } = this.#options;
    return {
      ...describeConnection(this.#options),
      serverVersion: this.#connection.link.serverVersion,
      stream: newStreamConfig(stream, stream.subjects),
    };
  }

  #health(): HealthReport {
    const groups = Array.from(
      this.#subscriptions.values(),
      (subscription) =>
        [`nats.group.${subscription.group}`, this.#groupHealth(subscription)] as const,
    );
    return { "nats.connection": this.#connection.health, ...Object.fromEntries(groups) };
  }

  #groupHealth({ trouble }: NatsSubscription): ComponentHealth {
    const { sinceMs } = this.#connection.health;
    return { status: trouble === "" ? "healthy" : "degraded", detail: trouble, sinceMs };
  }
}
