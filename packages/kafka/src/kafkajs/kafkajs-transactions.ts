import { BusError, BusTransportError } from "@bus/core";
import type { TransportHost } from "@bus/core";
import type {
  DriverTransaction,
  DriverTransactions,
  OutgoingRecord,
  PartitionOffset,
} from "../kafka-driver.ts";
import type { DriverOptions } from "../driver-options.ts";
import { BatchSender } from "./batch-sender.ts";
import type { SendOutcome } from "./batch-sender.ts";
import { BatchWire } from "./batch-wire.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import type { ProducerIdentity } from "./produce-request.ts";
import { RecordAccumulator } from "./record-accumulator.ts";
import type { SealedBatch } from "./sealed-batch.ts";
import type { TopicLeaders } from "./topic-leaders.ts";
import { TransactionCoordinator } from "./transaction-coordinator.ts";

/** What transactions need. */
export interface KafkajsTransactionsParts {
  readonly transactionalId: string;
  readonly options: DriverOptions;
  readonly host: TransportHost;
  readonly connection: ClusterConnection;
  /** Finds leaders; `onRefreshed` of it must dispatch here, too. */
  readonly leaders: TopicLeaders;
}

/**
 * Transactions over the same batches as everything else. A producer identity is kept from one committed transaction to
 * the next; after an abort or a failure the next transaction begins with a new one, since sequence numbers may have gaps.
 */
export class KafkajsTransactions implements DriverTransactions {
  readonly #parts: KafkajsTransactionsParts;
  readonly #coordinator: TransactionCoordinator;
  #producer: TransactionalProducer | undefined;

  constructor(parts: KafkajsTransactionsParts) {
    const { transactionalId, connection, host, options } = parts;
    this.#parts = parts;
    this.#coordinator = new TransactionCoordinator({
      transactionalId,
      connection,
      clock: host.clock,
      random: host.random,
      timeoutMs: options.producer.timeoutMs,
    });
  }

  async begin(): Promise<DriverTransaction> {
    this.#producer ??= new TransactionalProducer(
      this.#parts,
      this.#coordinator,
      await this.#coordinator.open(),
    );
    const producer = this.#producer;
    const end = async (how: "commit" | "abort"): Promise<void> => {
      try {
        await producer.end(how);
        if (how === "abort") this.#retire(producer);
      } catch (error) {
        this.#retire(producer);
        throw error;
      }
    };
    return {
      send: (record) => producer.send(record),
      sendOffsets: (group, offsets) => producer.sendOffsets(group, offsets),
      commit: () => end("commit"),
      abort: () => end("abort"),
    };
  }

  /** Leaders may have changed. */
  dispatch(): void {
    this.#producer?.dispatch();
  }

  close(): void {
    if (this.#producer !== undefined) this.#retire(this.#producer);
  }

  #retire(producer: TransactionalProducer): void {
    producer.close();
    if (this.#producer === producer) this.#producer = undefined;
  }
}

/** One producer identity of a transactional id, with what its transactions have under way. */
class TransactionalProducer {
  readonly #coordinator: TransactionCoordinator;
  readonly #identity: ProducerIdentity;
  readonly #accumulator: RecordAccumulator;
  readonly #sender: BatchSender;
  readonly #wire: BatchWire;
  readonly #added = new Set<string>();
  #hasOffsets = false;
  #failure: BusError | undefined;

  constructor(
    parts: KafkajsTransactionsParts,
    coordinator: TransactionCoordinator,
    identity: ProducerIdentity,
  ) {
    const { options, host, connection, leaders, transactionalId } = parts;
    const { producer } = options;
    const { clock, random } = host;
    this.#coordinator = coordinator;
    this.#identity = identity;
    this.#wire = new BatchWire({ options, connection, transactionalId });
    const limits = { maxMessages: producer.flushMessages, maxBytes: producer.batchSizeBytes };
    const onReady = (): void => this.#sender.dispatch();
    this.#accumulator = new RecordAccumulator({
      clock,
      lingerMs: producer.flushFrequencyMs,
      limits,
      onReady,
    });
    this.#sender = new BatchSender({
      ...producer,
      clock,
      random,
      accumulator: this.#accumulator,
      identities: { other: (retired) => this.#identify(retired) },
      maxBatchBytes: producer.batchSizeBytes,
      leaderOf: (topic, partition) => leaders.leaderOf(topic, partition),
      refreshLeaders: (topics) => leaders.refresh(topics),
      send: (leader, batches) => this.#send(leader, batches),
      recycle: (batch) => this.#wire.recycle(batch),
      onIdempotenceGap: () => undefined,
    });
  }

  send(record: OutgoingRecord): void {
    this.#accumulator.add(record);
  }

  dispatch(): void {
    this.#sender.dispatch();
  }

  async sendOffsets(group: string, offsets: readonly PartitionOffset[]): Promise<void> {
    this.#hasOffsets = true;
    await this.#coordinator.sendOffsets(this.#identity, group, offsets);
  }

  async end(how: "commit" | "abort"): Promise<void> {
    await this.#sender.flush();
    if (how === "commit" && this.#failure !== undefined) throw this.#failure;
    const hasBegun = this.#added.size > 0 || this.#hasOffsets;
    this.#added.clear();
    this.#hasOffsets = false;
    if (hasBegun) await this.#coordinator.end(this.#identity, how);
  }

  close(): void {
    this.#sender.close();
  }

  /** There is one identity; when the broker disowns it, another producer has the id, or the broker gave the transaction up. */
  #identify(retired: ProducerIdentity | undefined): ProducerIdentity | undefined {
    if (retired === undefined) return this.#identity;
    this.#fail(
      new BusTransportError(
        "BUS_FENCED",
        "the broker disowned the producer of a transaction: another process has its transactional id, or the transaction took too long",
      ),
    );
    return undefined;
  }

  async #send(leader: number, batches: readonly SealedBatch[]): Promise<SendOutcome> {
    try {
      await this.#addPartitions(batches);
    } catch (error) {
      const failure = BusError.is(error)
        ? error
        : new BusTransportError("BUS_TRANSPORT", String(error), { cause: error });
      if (!failure.retryable) this.#fail(failure);
      return { kind: "unsent", error: failure };
    }
    return await this.#wire.send(leader, batches);
  }

  async #addPartitions(batches: readonly SealedBatch[]): Promise<void> {
    const fresh = batches.filter(
      ({ topic, partition }) => !this.#added.has(`${topic}/${partition}`),
    );
    if (fresh.length === 0) return;
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of fresh)
      topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    await this.#coordinator.addPartitions(
      this.#identity,
      Array.from(topics, ([topic, partitions]) => ({ topic, partitions })),
    );
    for (const { topic, partition } of fresh) this.#added.add(`${topic}/${partition}`);
  }

  /** Nothing of this producer can be stored any more. */
  #fail(error: BusError): void {
    this.#failure ??= error;
    queueMicrotask(() => this.#sender.close(error));
  }
}
