import { BusError } from "@bus/core";
import type { TransportHost } from "@bus/core";
import type { DriverProducer, OutgoingRecord } from "../kafka-driver.ts";
import type { ResolvedKafkaOptions, ResolvedProducerOptions } from "../kafka-options.ts";
import { BatchSender } from "./batch-sender.ts";
import type { SendOutcome } from "./batch-sender.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { mapKafkajsError } from "./map-kafkajs-error.ts";
import { initProducerId, sendProduce } from "./produce-request.ts";
import type { PartitionBatch } from "./produce-request.ts";
import { ProducerIdentities } from "./producer-identities.ts";
import { RecordAccumulator } from "./record-accumulator.ts";
import { RecordBatchWriter, stampProducer } from "./record-batch-writer.ts";
import type { BatchProducer } from "./record-batch-writer.ts";
import type { SealedBatch } from "./sealed-batch.ts";
import { TopicLeaders } from "./topic-leaders.ts";

const ACKS = Object.freeze({ none: 0, leader: 1, all: -1 } as const);
/** After so long a topic is looked up again, to notice new partitions. */
const METADATA_MAX_AGE_MS = 60_000;
/** Writers that are kept for the next batches. */
const SPARE_WRITERS = 64;

/** What a producer needs. */
export interface KafkajsProducerParts {
  readonly options: ResolvedKafkaOptions;
  readonly host: TransportHost;
  readonly connection: ClusterConnection;
}

/** Publishes with kafkajs' connections; batches, sequence numbers, retries and deadlines are this package's own. */
export class KafkajsProducer implements DriverProducer {
  readonly #options: ResolvedProducerOptions;
  readonly #requestTimeoutMs: number;
  readonly #connection: ClusterConnection;
  readonly #accumulator: RecordAccumulator;
  readonly #sender: BatchSender;
  readonly #leaders: TopicLeaders;
  readonly #identities: ProducerIdentities | undefined;
  readonly #spareWriters: RecordBatchWriter[] = [];
  readonly #writers = new Map<SealedBatch, RecordBatchWriter>();

  constructor({ options, host, connection }: KafkajsProducerParts) {
    const { clock, random } = host;
    const { producer } = options;
    this.#options = producer;
    this.#requestTimeoutMs = options.net.readTimeoutMs;
    this.#connection = connection;
    const dispatch = (): void => this.#sender.dispatch();
    const noteFailure = (error: unknown): void => this.#sender.noteFailure(error);
    this.#accumulator = new RecordAccumulator({
      clock,
      lingerMs: producer.flushFrequencyMs,
      limits: { maxMessages: producer.flushMessages, maxBytes: producer.batchSizeBytes },
      onReady: dispatch,
    });
    this.#leaders = new TopicLeaders({
      clock,
      random,
      maxAgeMs: METADATA_MAX_AGE_MS,
      loadTimeoutMs: producer.timeoutMs,
      metadata: (topics) => connection.metadata(topics),
      onRefreshed: dispatch,
      onFailed: noteFailure,
    });
    const fetch = () => initProducerId(connection.cluster);
    this.#identities = producer.idempotent
      ? new ProducerIdentities({ clock, random, fetch, onReady: dispatch, onFailed: noteFailure })
      : undefined;
    this.#sender = new BatchSender({
      ...producer,
      clock,
      random,
      accumulator: this.#accumulator,
      identities: this.#identities,
      maxBatchBytes: producer.batchSizeBytes,
      leaderOf: (topic, partition) => this.#leaders.leaderOf(topic, partition),
      refreshLeaders: (topics) => this.#leaders.refresh(topics),
      send: (leader, batches) => this.#send(leader, batches),
      recycle: (batch) => this.#recycle(batch),
      onIdempotenceGap: ({ topic, partition }) =>
        host.emit({
          kind: "warning",
          message: `a batch of ${topic}[${partition}] was sent again as another producer and may be stored twice`,
          details: { topic, partition },
        }),
    });
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
    this.#leaders.close();
    this.#identities?.close();
    this.#sender.close();
  }

  async #send(leader: number, batches: readonly SealedBatch[]): Promise<SendOutcome> {
    let isSent = false;
    try {
      const [broker, partitions] = await Promise.all([
        this.#connection.broker(leader),
        this.#encodeAll(batches),
      ]);
      isSent = true;
      const acks = ACKS[this.#options.requiredAcks];
      const answer = await sendProduce(broker, {
        acks,
        timeoutMs: this.#requestTimeoutMs,
        partitions,
      });
      return acks === 0 ? { kind: "unacknowledged" } : { kind: "answered", batches: answer };
    } catch (cause) {
      const error = BusError.is(cause)
        ? cause
        : mapKafkajsError(cause, { doing: `publishing to broker ${leader}` });
      return { kind: isSent ? "unanswered" : "unsent", error };
    }
  }

  async #encodeAll(batches: readonly SealedBatch[]): Promise<readonly PartitionBatch[]> {
    const encoded = batches.map((batch) => this.#encode(batch));
    return await Promise.all(
      batches.map(async ({ topic, partition }, index) => ({
        topic,
        partition,
        batch: (await encoded[index]) ?? Buffer.alloc(0),
      })),
    );
  }

  /** Encode a batch, once: when it is sent again only its stamp can differ. */
  #encode(batch: SealedBatch): Buffer | Promise<Buffer> {
    if (batch.encoded !== undefined) {
      return batch.stamp === undefined
        ? batch.encoded
        : stampProducer(batch.encoded, producerOf(batch.stamp));
    }
    const { compression, compressionLevel } = this.#options;
    const writer = this.#spareWriters.pop() ?? new RecordBatchWriter();
    this.#writers.set(batch, writer);
    for (const record of batch.records) writer.append(record);
    const finished = writer.finish({
      compression,
      ...(compressionLevel === undefined ? {} : { compressionLevel }),
      ...(batch.stamp === undefined ? {} : { producer: producerOf(batch.stamp) }),
    });
    const keep = (bytes: Buffer): Buffer => (batch.encoded = bytes);
    return finished instanceof Promise ? finished.then(keep) : keep(finished);
  }

  #recycle(batch: SealedBatch): void {
    const writer = this.#writers.get(batch);
    batch.encoded = undefined;
    if (writer === undefined) return;
    this.#writers.delete(batch);
    writer.reset();
    if (this.#spareWriters.length < SPARE_WRITERS) this.#spareWriters.push(writer);
  }
}

function producerOf({ identity, baseSequence }: NonNullable<SealedBatch["stamp"]>): BatchProducer {
  return { ...identity, baseSequence };
}
