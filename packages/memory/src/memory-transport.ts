import { BusClosedError, BusTransportError } from "@bus/core";
import type {
  Capabilities,
  CloseOptions,
  CloseReport,
  ComponentHealth,
  Deliver,
  OutgoingMessage,
  PublishReceipt,
  StartFrom,
  SubscriptionRequest,
  TopicSubscription,
  Transport,
  TransportHost,
  TransportSubscription,
} from "@bus/core";
import { wait } from "@bus/core/adapter";
import type { BrokerClient } from "./broker-faults.ts";
import { ClientLink } from "./client-link.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import { createCapabilities } from "./memory-capabilities.ts";
import type { ResolvedMemoryOptions } from "./memory-options.ts";
import { MemorySubscription } from "./memory-subscription.ts";
import { noOffset } from "./owned-partitions.ts";
import { storeMessages } from "./store-messages.ts";
import type { StoreContext } from "./store-messages.ts";
import type { MemoryTopic, TopicDefaults } from "./topic-store.ts";
import { WaitingPublishes } from "./waiting-publishes.ts";

/** A connection may be cut for so long before the transport counts as unhealthy rather than degraded, in milliseconds. */
const DISCONNECTED_GRACE_MS = 10_000;

/** One client of an in-process broker. */
export class MemoryTransport implements Transport, BrokerClient {
  readonly name = "memory";
  readonly clientId: string;
  readonly capabilities: Capabilities;
  readonly #options: ResolvedMemoryOptions;
  readonly #host: TransportHost;
  readonly #link = new ClientLink();
  readonly #subscriptions = new Set<MemorySubscription>();
  readonly #waiting: WaitingPublishes;
  readonly #storing: StoreContext;
  #isConnected = false;
  #sinceMs: number;
  #closing: Promise<CloseReport> | undefined;

  constructor(options: ResolvedMemoryOptions, host: TransportHost) {
    this.clientId = options.clientId;
    this.#options = options;
    this.#host = host;
    this.#sinceMs = host.clock.now();
    this.#waiting = new WaitingPublishes(host.clock, options.publishTimeoutMs);
    this.#storing = {
      maxMessageBytes: options.maxMessageBytes,
      faults: options.broker.publishFaults,
      now: () => options.broker.clock.now(),
      topicOf: (name) => this.#topic(name),
    };
    this.capabilities = createCapabilities({
      options,
      topicDefaults: this.#topicDefaults(),
      requireConnection: () => this.#requireConnection(),
      startFromOf: (group, topic) => this.#startFromOf(group, topic),
      health: () => this.#health(),
    });
    options.broker.attach(this, host.clock);
  }

  get transport(): Transport {
    return this;
  }

  get members(): readonly MemorySubscription[] {
    return [...this.#subscriptions];
  }

  async connect(): Promise<void> {
    this.#requireOpen();
    if (!this.#link.isUp)
      throw new BusTransportError("BUS_CONNECT", "the connection to the broker is cut");
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.#sinceMs = this.#host.clock.now();
    this.#host.emit({ kind: "connected" });
  }

  async publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    this.#requireOpen();
    this.#requireConnect();
    if (!this.#link.isUp) return this.#waiting.add(messages);
    return storeMessages(messages, this.#storing);
  }

  async subscribe(request: SubscriptionRequest, deliver: Deliver): Promise<TransportSubscription> {
    this.#requireOpen();
    this.#requireConnect();
    await this.#link.whenUpOrOver();
    this.#requireOpen();
    const { broker } = this.#options;
    const group = broker.group(request.group);
    this.#prepare(group, request.topics);
    const subscription = new MemorySubscription(
      {
        id: broker.nextMemberId(this.clientId),
        group,
        loop: broker.loop,
        link: this.#link,
        host: this.#host,
        options: this.#options,
        deliver,
        prepare: (topics) => this.#prepare(group, topics),
        onClosed: (closed) => this.#subscriptions.delete(closed),
      },
      request.topics,
    );
    this.#subscriptions.add(subscription);
    await subscription.join();
    this.#requireOpen();
    return subscription;
  }

  close(options: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  cutOff(): void {
    if (!this.#link.isUp) return;
    const error = new BusTransportError("BUS_TRANSPORT", "the connection to the broker was cut");
    this.#link.cut();
    this.#sinceMs = this.#host.clock.now();
    this.#host.emit({ kind: "disconnected", error });
    this.#host.emit({ kind: "reconnecting", attempt: 1, error });
    for (const subscription of this.#subscriptions) subscription.goOffline();
  }

  restore(): void {
    if (this.#link.isUp || this.#link.isOver) return;
    this.#link.restore();
    this.#sinceMs = this.#host.clock.now();
    this.#waiting.flush((messages) => storeMessages(messages, this.#storing));
    this.#host.emit({ kind: "connected" });
    for (const subscription of this.#subscriptions) void this.#goOnline(subscription);
  }

  crash(): void {
    if (this.#link.isOver) return;
    this.#link.kill();
    for (const subscription of this.#subscriptions) subscription.crash();
    this.#waiting.failAll(new BusClosedError("the client has crashed"));
  }

  async #goOnline(subscription: MemorySubscription): Promise<void> {
    try {
      await subscription.goOnline();
    } catch (error) {
      this.#host.emit({ kind: "subscriptionEnded", group: subscription.group, error });
    }
  }

  async #close({ drainTimeoutMs }: CloseOptions): Promise<CloseReport> {
    const closing = [...this.#subscriptions].map((subscription) =>
      subscription.close({ drainTimeoutMs }),
    );
    const [reports] = await Promise.all([Promise.all(closing), this.#flushWaiting(drainTimeoutMs)]);
    this.#link.close();
    this.#waiting.failAll(
      new BusTransportError(
        "BUS_PUBLISH_FAILED",
        "the transport was closed while its connection was cut",
      ),
    );
    this.#options.broker.detach(this);
    return {
      abandonedDeliveries: reports.reduce(
        (sum, { abandonedDeliveries }) => sum + abandonedDeliveries,
        0,
      ),
    };
  }

  /** What was accepted while the connection is cut has until the deadline to be stored. */
  async #flushWaiting(drainTimeoutMs: number): Promise<void> {
    if (this.#waiting.size === 0 || drainTimeoutMs <= 0) return;
    const ended = new AbortController();
    await Promise.race([
      this.#link.whenUpOrOver(),
      wait(this.#host.clock, drainTimeoutMs, ended.signal),
    ]);
    ended.abort();
  }

  /** Create topics that are used for the first time, and check that the group may begin somewhere. */
  #prepare(group: ConsumerGroup, topics: readonly TopicSubscription[]): void {
    for (const { topic, startFrom = this.#options.startFrom } of topics) {
      const { logs } = this.#topic(topic);
      if (startFrom === "none" && logs.some((log) => group.committed(log) === undefined))
        throw noOffset(group.name, topic);
    }
  }

  #topic(name: string): MemoryTopic {
    const { autoCreateTopics, broker } = this.#options;
    const found = broker.topics.find(name);
    if (found !== undefined) return found;
    if (autoCreateTopics === "onFirstUse")
      broker.createTopic({ topic: name }, this.#topicDefaults());
    return broker.topics.require(name);
  }

  #topicDefaults(): TopicDefaults {
    const {
      broker,
      partitions,
      retentionMessages = broker.options.retentionMessages,
    } = this.#options;
    return { partitions, retentionMessages };
  }

  #requireOpen(): void {
    if (this.#closing !== undefined)
      throw new BusClosedError("the memory transport is closing or closed");
    if (this.#link.isOver) throw new BusClosedError("the memory transport has crashed");
  }

  #requireConnect(): void {
    if (!this.#isConnected)
      throw new BusTransportError(
        "BUS_CONNECT",
        "the memory transport is not connected: call connect() first",
      );
  }

  #requireConnection(): void {
    this.#requireOpen();
    this.#requireConnect();
    if (!this.#link.isUp)
      throw new BusTransportError("BUS_TRANSPORT", "the connection to the broker is cut");
  }

  #startFromOf(group: string, topic: string): StartFrom {
    for (const subscription of this.#subscriptions) {
      const startFrom = subscription.group === group ? subscription.startFromOf(topic) : undefined;
      if (startFrom !== undefined) return startFrom;
    }
    return this.#options.startFrom;
  }

  #health(): ComponentHealth {
    const sinceMs = this.#sinceMs;
    if (this.#closing !== undefined || this.#link.isOver)
      return { status: "unhealthy", detail: "the transport is closed", sinceMs };
    if (!this.#isConnected)
      return { status: "unhealthy", detail: "the transport is not connected", sinceMs };
    if (this.#link.isUp) return { status: "healthy", detail: "", sinceMs };
    const isLong = this.#host.clock.now() - sinceMs > DISCONNECTED_GRACE_MS;
    return {
      status: isLong ? "unhealthy" : "degraded",
      detail: "the connection to the broker is cut",
      sinceMs,
    };
  }
}
