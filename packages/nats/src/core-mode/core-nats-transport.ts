import { BusClosedError, BusConfigError, BusTransportError } from "@bus/core";
import type {
  Capabilities,
  CloseOptions,
  CloseReport,
  ComponentHealth,
  Deliver,
  HealthReport,
  OutgoingMessage,
  PublishReceipt,
  SubscriptionRequest,
  Transport,
  TransportHost,
  TransportSubscription,
} from "@bus/core";
import { describeConnection } from "../client/open-connection.ts";
import { ConnectionState } from "../connection-state.ts";
import type { ResolvedNatsOptions } from "../nats-options.ts";
import { encodeHeaderBlock } from "../publish/header-block.ts";
import { checkTopic } from "../topology/subjects.ts";
import { CoreSubscription } from "./core-subscription.ts";

const NO_PAYLOAD = new Uint8Array(0);

/** NATS without JetStream: messages are passed on and never stored, at most once. */
export class CoreNatsTransport implements Transport {
  readonly name = "nats";
  readonly capabilities: Capabilities;
  readonly #options: ResolvedNatsOptions;
  readonly #host: TransportHost;
  readonly #connection: ConnectionState;
  readonly #subscriptions = new Map<string, CoreSubscription>();
  #messages = 0;
  #connecting: Promise<void> | undefined;
  #closing: Promise<CloseReport> | undefined;

  constructor(options: ResolvedNatsOptions, host: TransportHost) {
    this.#options = options;
    this.#host = host;
    this.#connection = new ConnectionState(options, host);
    this.capabilities = {
      ordering: "none",
      health: { report: () => this.#health() },
      ping: {
        ping: async (signal) => {
          signal.throwIfAborted();
          await this.#connection.link.flush();
        },
      },
      description: {
        describe: () => ({ ...describeConnection(options), delivery: "at most once" }),
      },
    };
  }

  connect(): Promise<void> {
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  /** Resolves when the server has read the messages; whether anybody listens is not known. Receipts have no offset. */
  async publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    this.#requireOpen("published");
    await this.connect();
    const { link } = this.#connection;
    if (!link.isConnected)
      throw new BusTransportError(
        "BUS_PUBLISH_FAILED",
        "there is no connection to a nats server, and core NATS keeps nothing for later",
      );
    for (const message of messages) this.#check(message);
    for (const message of messages) {
      this.#messages += 1;
      const headerBytes = encodeHeaderBlock(message, `${this.#messages}`);
      link.publish(message.topic, message.value ?? NO_PAYLOAD, { headerBytes });
    }
    await link.flush();
    return messages.map(({ topic }) => ({ topic, partition: 0, offset: undefined }));
  }

  async subscribe(
    { group, topics }: SubscriptionRequest,
    deliver: Deliver,
  ): Promise<TransportSubscription> {
    this.#requireOpen("subscribed");
    await this.connect();
    const subscription = new CoreSubscription({
      group,
      deliver,
      host: this.#host,
      options: this.#options,
      link: this.#connection.link,
      onClosed: (closed) => {
        if (this.#subscriptions.get(group) === closed) this.#subscriptions.delete(group);
      },
    });
    this.#subscriptions.set(group, subscription);
    try {
      await subscription.update(topics);
      return subscription;
    } catch (error) {
      await subscription.close({ drainTimeoutMs: 0 });
      throw error;
    }
  }

  close(options: CloseOptions): Promise<CloseReport> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #connect(): Promise<void> {
    await this.#connection.connect();
    this.#host.emit({
      kind: "warning",
      message: "core NATS delivers at most once: what nobody can handle at once is gone",
      details: { path: "mode", value: "core" },
    });
  }

  async #close(options: CloseOptions): Promise<CloseReport> {
    const subscriptions = [...this.#subscriptions.values()];
    const reports = await Promise.all(subscriptions.map((one) => one.close(options)));
    await this.#connection.close();
    await this.#connecting?.catch(() => undefined);
    return {
      abandonedDeliveries: reports.reduce((sum, report) => sum + report.abandonedDeliveries, 0),
    };
  }

  #check({ topic, key, value, partition }: OutgoingMessage): void {
    checkTopic(topic);
    if (partition !== undefined && partition !== 0)
      throw new BusConfigError(
        "BUS_INVALID_MESSAGE",
        `core NATS has no partitions, got partition ${partition} for topic ${topic}`,
        { details: { topic, partition } },
      );
    const { maxPayloadBytes } = this.#connection.link;
    const sizeBytes = (key?.length ?? 0) + (value?.length ?? 0);
    if (sizeBytes > maxPayloadBytes)
      throw new BusTransportError(
        "BUS_MESSAGE_TOO_LARGE",
        `a message of ${sizeBytes} bytes for ${topic} exceeds the server's max_payload of ${maxPayloadBytes}`,
        { details: { topic, sizeBytes, maxPayloadBytes } },
      );
  }

  #requireOpen(what: string): void {
    if (this.#closing !== undefined)
      throw new BusClosedError(`the nats transport is closed, nothing can be ${what}`);
  }

  #health(): HealthReport {
    const groups = Array.from(
      this.#subscriptions.values(),
      (subscription) =>
        [`nats.group.${subscription.group}`, this.#groupHealth(subscription)] as const,
    );
    return { "nats.connection": this.#connection.health, ...Object.fromEntries(groups) };
  }

  #groupHealth({ lost }: CoreSubscription): ComponentHealth {
    const { sinceMs } = this.#connection.health;
    return lost === 0
      ? { status: "healthy", detail: "", sinceMs }
      : { status: "degraded", detail: `${lost} messages were not handled`, sinceMs };
  }
}
