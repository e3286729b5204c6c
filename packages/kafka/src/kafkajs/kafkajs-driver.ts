import type { TransportHost } from "@bus/core";
import type { ConsumerSink, DriverConsumer, KafkaDriver } from "../kafka-driver.ts";
import type { DriverOptions } from "../driver-options.ts";
import { handshakeError } from "../map-kafka-error.ts";
import { registerCodecs } from "./compression-codecs.ts";
import { ClusterConnection } from "./cluster-connection.ts";
import { KafkajsAdmin } from "./kafkajs-admin.ts";
import { kafkajsClient } from "./kafkajs-client.ts";
import { KafkajsConsumer } from "./kafkajs-consumer.ts";
import { KafkajsProducer } from "./kafkajs-producer.ts";
import { producerProperties } from "./kafkajs-properties.ts";
import { isClosedByPeer, mapKafkajsError } from "./map-kafkajs-error.ts";
import { quietRequestQueues } from "./quiet-request-queue.ts";

/** kafkajs at work: one set of connections to publish, one for questions, one per consumer. */
export class KafkajsDriver implements KafkaDriver {
  readonly producer: KafkajsProducer;
  readonly admin: KafkajsAdmin;
  readonly #options: DriverOptions;
  readonly #host: TransportHost;
  readonly #connections: readonly ClusterConnection[];

  constructor(options: DriverOptions, host: TransportHost) {
    registerCodecs();
    quietRequestQueues();
    this.#options = options;
    this.#host = host;
    const producing = this.#newConnection();
    const asking = this.#newConnection();
    this.#connections = [producing, asking];
    this.producer = new KafkajsProducer({ options, host, connection: producing });
    const { isolationLevel } = options.consumer;
    this.admin = new KafkajsAdmin({ connection: asking, clock: host.clock, isolationLevel });
  }

  async connect(): Promise<void> {
    try {
      await this.producer.connect();
      await this.admin.ping();
    } catch (error) {
      const doing = `connecting to ${this.#options.brokers.join(", ")}`;
      if (isClosedByPeer(error)) throw handshakeError(this.#options.net, { doing, cause: error });
      throw mapKafkajsError(error, { doing });
    }
  }

  createConsumer(group: string, sink: ConsumerSink): DriverConsumer {
    return new KafkajsConsumer({
      group,
      options: this.#options,
      host: this.#host,
      sink,
      admin: this.admin,
    });
  }

  async close(): Promise<void> {
    this.producer.close();
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  #newConnection(): ClusterConnection {
    const client = kafkajsClient(this.#options, this.#host.logger);
    return new ClusterConnection({
      client,
      clock: this.#host.clock,
      options: producerProperties(this.#options),
    });
  }
}
