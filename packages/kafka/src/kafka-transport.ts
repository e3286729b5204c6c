import { BusClosedError, BusError, BusTransportError } from "@bus/core";
import type {
  Capabilities,
  CloseOptions,
  CloseReport,
  Deliver,
  HealthReport,
  OutgoingMessage,
  PublishReceipt,
  SubscriptionRequest,
  Transport,
  TransportHost,
  TransportSubscription,
} from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import { ConnectionState } from "./connection-state.ts";
import type { KafkaDriver, RecordDecoder } from "./kafka-driver.ts";
import { KafkaLagReader } from "./lag-reader.ts";
import type { ResolvedKafkaOptions } from "./kafka-options.ts";
import { KafkaPublisher } from "./kafka-publisher.ts";
import { KafkaSubscription } from "./kafka-subscription.ts";
import { KafkaTopics } from "./kafka-topics.ts";
import { KafkaTransactions } from "./kafka-transactions.ts";
import { chooseDriver } from "./named-driver.ts";

/** Waits between attempts to reach a broker at the start. */
const CONNECT_BACK_OFF = Object.freeze({ baseMs: 250, maxMs: 5_000, jitter: 0.2 });

/** How long an attempt to connect is repeated when an option seems to be wrong. */
const SUSPECT_PATIENCE_MS = 8_000;

/** Kafka behind the transport contract, with whichever driver. */
export class KafkaTransport implements Transport {
  readonly name = "kafka";
  readonly capabilities: Capabilities;
  readonly #options: ResolvedKafkaOptions;
  readonly #host: TransportHost;
  readonly #driver: KafkaDriver;
  readonly #publisher: KafkaPublisher;
  readonly #topics: KafkaTopics;
  readonly #state: ConnectionState;
  readonly #subscriptions = new Map<string, KafkaSubscription>();
  readonly #closed = new AbortController();
  #connecting: Promise<void> | undefined;
  #closing: Promise<CloseReport> | undefined;

  /** @throws BusConfigError `BUS_UNSUPPORTED`, `BUS_CONFIG` from the driver's check. */
  constructor(options: ResolvedKafkaOptions, host: TransportHost) {
    this.#options = options;
    this.#state = new ConnectionState(host);
    this.#host = this.#state.host;
    const { driver, describe } = chooseDriver(options, this.#host);
    this.#driver = driver;
    this.#topics = new KafkaTopics(driver, options.topics, (drift) => {
      const message = `topic ${drift.topic}: ${drift.property} is ${drift.actual}, expected ${drift.expected}`;
      host.emit({ kind: "warning", message, details: { ...drift } });
    });
    const { clock, random } = host;
    const ensureTopic = (topic: string): Promise<void> => this.#topics.ensure([topic]);
    this.#publisher = new KafkaPublisher({
      driver,
      options: options.producer,
      clock,
      random,
      ensureTopic,
    });
    const lag = new KafkaLagReader({
      driver,
      clock,
      startsFrom: (group, topic) =>
        this.#subscriptions.get(group)?.startsFrom(topic) ?? options.consumer.autoOffsetReset,
    });
    this.capabilities = {
      ordering: "partition",
      lag,
      topics: this.#topics,
      health: { report: () => this.#health() },
      ping: { ping: (signal) => this.#ping(signal) },
      membership: { sessionTimeoutMs: options.consumer.sessionTimeoutMs },
      description: { describe: () => ({ ...describe(), decoders: this.#decoders() }) },
      ...(options.producer.transactionalId === undefined
        ? {}
        : { transactions: this.#newTransactions() }),
    };
  }

  connect(): Promise<void> {
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    return this.#publisher.publish(messages);
  }

  async subscribe(request: SubscriptionRequest, deliver: Deliver): Promise<TransportSubscription> {
    if (this.#closing !== undefined)
      throw new BusClosedError("the kafka transport is closed, nothing can be subscribed");
    await this.connect();
    const { group, topics } = request;
    const subscription = new KafkaSubscription({
      group,
      topics,
      deliver,
      host: this.#host,
      options: this.#options.consumer,
      createConsumer: (sink) => this.#driver.createConsumer(group, sink),
      ensureTopics: (names) => this.#topics.ensure(names),
      // What has left in good order is no part of health any more.
      onClosed: (closed) => {
        if (this.#subscriptions.get(group) === closed) this.#subscriptions.delete(group);
      },
    });
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

  async #close(options: CloseOptions): Promise<CloseReport> {
    this.#closed.abort();
    // A connect that fails has told whoever waits for it.
    await this.#connecting?.catch(() => undefined);
    const reports = await Promise.all(
      Array.from(this.#subscriptions.values(), (one) => one.close(options)),
    );
    await this.#publisher.close(options.drainTimeoutMs);
    await this.#driver.close();
    return {
      abandonedDeliveries: reports.reduce((sum, report) => sum + report.abandonedDeliveries, 0),
    };
  }

  async #connect(): Promise<void> {
    const { clock, random } = this.#host;
    const startedMs = clock.monotonicMs();
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#driver.connect();
        this.#host.emit({ kind: "connected" });
        return;
      } catch (error) {
        if (!BusError.is(error) || !error.retryable) throw error;
        const delayMs = backOffMs(attempt, CONNECT_BACK_OFF, random);
        // An option that is to blame does not mend itself, but a broker that has just begun may.
        const patienceMs = "path" in error.details ? SUSPECT_PATIENCE_MS : Infinity;
        const untilMs = startedMs + Math.min(this.#options.connectTimeoutMs, patienceMs);
        const leftMs = untilMs - clock.monotonicMs();
        if (leftMs < delayMs) throw this.#unreachable(error, clock.monotonicMs() - startedMs);
        this.#host.emit({ kind: "reconnecting", attempt, error });
        if (!(await wait(clock, delayMs, this.#closed.signal)))
          throw new BusClosedError("the kafka transport was closed while it connected");
      }
    }
  }

  #unreachable(error: BusError, afterMs: number): BusError {
    const message = `${error.message} (gave up after ${Math.round(afterMs)} ms)`;
    return new BusTransportError("BUS_CONNECT", message, {
      details: { ...error.details, brokers: this.#options.brokers },
      cause: error.cause,
    });
  }

  #newTransactions(): KafkaTransactions {
    return new KafkaTransactions({
      driver: this.#driver,
      publish: (messages, send) => this.#publisher.publishThrough(messages, send),
      positionAfter: (delivery) => {
        for (const subscription of this.#subscriptions.values()) {
          const position = subscription.positionAfter(delivery);
          if (position !== undefined) return position;
        }
        return undefined;
      },
    });
  }

  async #ping(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#driver.admin.ping();
  }

  /** Who decodes the records of each group. */
  #decoders(): Readonly<Record<string, RecordDecoder>> {
    return Object.fromEntries(
      Array.from(this.#subscriptions.values(), ({ group, decoder }) => [group, decoder]),
    );
  }

  #health(): HealthReport {
    return this.#state.report([...this.#subscriptions.values()]);
  }
}
