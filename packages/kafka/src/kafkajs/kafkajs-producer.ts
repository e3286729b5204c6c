import type { TransportHost } from "@bus/core";
import type { DriverProducer, OutgoingRecord } from "../kafka-driver.ts";
import type { DriverOptions } from "../driver-options.ts";
import { BatchSender } from "./batch-sender.ts";
import { BatchWire } from "./batch-wire.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { producerProperties } from "./kafkajs-properties.ts";
import { KafkajsTransactions } from "./kafkajs-transactions.ts";
import { initProducerId } from "./produce-request.ts";
import { ProducerIdentities } from "./producer-identities.ts";
import { RecordAccumulator } from "./record-accumulator.ts";
import { TopicLeaders } from "./topic-leaders.ts";

/** What a producer needs. */
export interface KafkajsProducerParts {
  readonly options: DriverOptions;
  readonly host: TransportHost;
  readonly connection: ClusterConnection;
}

/** Publishes with kafkajs' connections; batches, sequence numbers, retries and deadlines are this package's own. */
export class KafkajsProducer implements DriverProducer {
  readonly transactions?: KafkajsTransactions;
  readonly #connection: ClusterConnection;
  readonly #accumulator: RecordAccumulator;
  readonly #sender: BatchSender;
  readonly #leaders: TopicLeaders;
  readonly #identities: ProducerIdentities | undefined;

  constructor(parts: KafkajsProducerParts) {
    const { options, host, connection } = parts;
    const { clock, random } = host;
    const { producer } = options;
    this.#connection = connection;
    const dispatch = (): void => this.#sender.dispatch();
    const onFailed = (error: unknown): void => this.#sender.noteFailure(error);
    this.#accumulator = new RecordAccumulator({
      clock,
      lingerMs: producer.flushFrequencyMs,
      limits: { maxMessages: producer.flushMessages, maxBytes: producer.batchSizeBytes },
      onReady: dispatch,
    });
    this.#leaders = this.#newLeaders(parts, dispatch, onFailed);
    const { transactionalId } = producer;
    if (transactionalId !== undefined) {
      const leaders = this.#leaders;
      this.transactions = new KafkajsTransactions({ ...parts, transactionalId, leaders });
    }
    const fetch = () => initProducerId(connection.cluster);
    this.#identities = producer.idempotent
      ? new ProducerIdentities({ clock, random, fetch, onReady: dispatch, onFailed })
      : undefined;
    this.#sender = this.#newSender(parts);
  }

  /** Reach the cluster and get an identity. Rejects with kafkajs' error. */
  async connect(): Promise<void> {
    await this.#connection.connect();
    await this.#identities?.open();
  }

  partitionCount(topic: string): number | undefined {
    return this.#leaders.partitionCount(topic);
  }

  loadTopic(topic: string): Promise<void> {
    return this.#leaders.load(topic);
  }

  send(record: OutgoingRecord): void {
    this.#accumulator.add(record);
  }

  flush(): Promise<void> {
    return this.#sender.flush();
  }

  close(): void {
    this.transactions?.close();
    this.#leaders.close();
    this.#identities?.close();
    this.#sender.close();
  }

  #newLeaders(
    { options, host, connection }: KafkajsProducerParts,
    dispatch: () => void,
    onFailed: (error: unknown) => void,
  ): TopicLeaders {
    return new TopicLeaders({
      clock: host.clock,
      random: host.random,
      maxAgeMs: producerProperties(options).metadataMaxAge,
      loadTimeoutMs: options.producer.timeoutMs,
      metadata: (topics) => connection.metadata(topics),
      onRefreshed: () => {
        dispatch();
        this.transactions?.dispatch();
      },
      onFailed,
    });
  }

  #newSender({ options, host, connection }: KafkajsProducerParts): BatchSender {
    const wire = new BatchWire({ options, connection });
    return new BatchSender({
      ...options.producer,
      clock: host.clock,
      random: host.random,
      accumulator: this.#accumulator,
      identities: this.#identities,
      maxBatchBytes: options.producer.batchSizeBytes,
      leaderOf: (topic, partition) => this.#leaders.leaderOf(topic, partition),
      refreshLeaders: (topics) => this.#leaders.refresh(topics),
      send: (leader, batches) => wire.send(leader, batches),
      recycle: (batch) => wire.recycle(batch),
      onIdempotenceGap: ({ topic, partition }) => {
        const message = `a batch of ${topic}[${partition}] was sent again as another producer and may be stored twice`;
        host.emit({ kind: "warning", message, details: { topic, partition } });
      },
    });
  }
}
