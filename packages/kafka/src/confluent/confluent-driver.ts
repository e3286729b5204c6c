import { BusConfigError } from "@bus/core";
import type { TransportHost } from "@bus/core";
import type { ConsumerSink, DriverConsumer, KafkaDriver } from "../kafka-driver.ts";
import type { DriverOptions } from "../driver-options.ts";
import { AdminConnection } from "./admin-connection.ts";
import { clusterFeatures, GROUP_VERSION } from "./cluster-features.ts";
import type { ConfluentModule, NativeConsumer } from "./confluent-client-types.ts";
import { ConfluentAdmin } from "./confluent-admin.ts";
import { ConfluentConsumer } from "./confluent-consumer.ts";
import { ConfluentProducer } from "./confluent-producer.ts";
import { ConfluentTransactions } from "./confluent-transactions.ts";
import { ConnectionWatch } from "./connection-watch.ts";
import { GroupPositions } from "./group-positions.ts";
import type { ClientParts } from "./open-client.ts";

/** Confluent's client at work: one client to ask, one to publish, one per group; one more for transactions. */
export class ConfluentDriver implements KafkaDriver {
  readonly producer: ConfluentProducer;
  readonly admin: ConfluentAdmin;
  readonly #clients: ClientParts;
  readonly #connection: AdminConnection;
  readonly #watch: ConnectionWatch;
  readonly #positions: GroupPositions;
  readonly #transactions: ConfluentTransactions | undefined;
  readonly #consumers = new Map<string, ConfluentConsumer>();
  #closing: Promise<void> | undefined;

  constructor(module: ConfluentModule, options: DriverOptions, host: TransportHost) {
    this.#watch = new ConnectionWatch({ host, ping: () => this.admin.ping() });
    this.#clients = { module, options, host, listener: this.#watch };
    this.#connection = new AdminConnection(this.#clients);
    this.#positions = new GroupPositions(this.#clients);
    this.admin = new ConfluentAdmin({
      connection: this.#connection,
      clock: host.clock,
      isolationLevel: options.consumer.isolationLevel,
      readPositions: (group, partitions) => this.#positions.read(group, partitions),
    });
    this.#transactions = this.#newTransactions(options);
    this.producer = new ConfluentProducer({
      ...this.#clients,
      explainTopic: (topic) => this.admin.explainTopic(topic),
      ...(this.#transactions === undefined ? {} : { transactions: this.#transactions }),
    });
  }

  /** @throws BusConfigError `BUS_UNSUPPORTED` when the brokers are too old for `consumer.protocol: "consumer"`, beside the errors of the interface. */
  async connect(): Promise<void> {
    await this.#connection.open();
    const { options, host } = this.#clients;
    if (options.consumer.protocol !== "consumer") return;
    const features = await clusterFeatures(options, host.clock);
    if ((features.get(GROUP_VERSION) ?? 0) > 0) return;
    // The client itself would wait for ever, without a word.
    const path = "consumer.protocol";
    const message = `${path} cannot be "consumer" with these brokers: they do not use the protocol, which needs Kafka 4.0 or later`;
    throw new BusConfigError("BUS_UNSUPPORTED", message, { details: { path, value: "consumer" } });
  }

  createConsumer(group: string, sink: ConsumerSink): DriverConsumer {
    const consumer = new ConfluentConsumer({
      clients: this.#clients,
      group,
      sink,
      explainTopic: (topic) => this.admin.explainTopic(topic),
      missingTopics: (topics) => this.admin.missingTopics(topics),
    });
    this.#consumers.set(group, consumer);
    return consumer;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(Array.from(this.#consumers.values(), (consumer) => consumer.close()));
    await Promise.all([
      this.producer.close(),
      this.#transactions?.close(),
      this.#positions.close(),
      this.#watch.close(),
      this.#connection.close(),
    ]);
  }

  #newTransactions(options: DriverOptions): ConfluentTransactions | undefined {
    const { transactionalId } = options.producer;
    if (transactionalId === undefined) return undefined;
    return new ConfluentTransactions({
      ...this.#clients,
      transactionalId,
      consumerOf: (group) => this.#consumerOf(group),
    });
  }

  async #consumerOf(group: string): Promise<NativeConsumer> {
    return this.#consumers.get(group)?.client ?? (await this.#positions.client(group));
  }
}
