import { BusTransportError } from "@bus/core";
import type { BusError, Clock } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import type { PartitionOffset } from "../kafka-driver.ts";
import type { ClusterConnection, RequestBroker } from "./cluster-connection.ts";
import { offsetsByTopic } from "./group-membership.ts";
import { kafkajsErrorFacts, mapKafkajsError } from "./map-kafkajs-error.ts";
import type { ProducerIdentity } from "./produce-request.ts";

/** Codes of the Kafka protocol. */
const CONCURRENT_TRANSACTIONS = 51;
const UNKNOWN_TOPIC_OR_PARTITION = 3;

/** The broker is done with the last transaction within milliseconds. */
const CONCURRENT_BACK_OFF = Object.freeze({ baseMs: 5, maxMs: 50, jitter: 0.2 });
const BACK_OFF = Object.freeze({ baseMs: 100, maxMs: 2_000, jitter: 0.2 });
/** After so long the broker aborts a transaction by itself (Kafka `transaction.timeout.ms`). */
const TRANSACTION_TIMEOUT_MS = 60_000;

/** What talking to a transaction coordinator needs. */
export interface TransactionCoordinatorParts {
  readonly transactionalId: string;
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly random: () => number;
  /** How long one request is tried. */
  readonly timeoutMs: number;
}

/** A partition that takes part in a transaction. */
export interface TransactionPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** The requests of transactions, each made until it is answered for good. Errors are `BusError`s. */
export class TransactionCoordinator {
  readonly #parts: TransactionCoordinatorParts;
  #broker: RequestBroker | undefined;

  constructor(parts: TransactionCoordinatorParts) {
    this.#parts = parts;
  }

  /** Become the one producer with this id; a transaction that the last one left open is aborted. */
  async open(): Promise<ProducerIdentity> {
    const { transactionalId } = this.#parts;
    const { producerId, producerEpoch } = await this.#ask("becoming the producer", (broker) =>
      broker.initProducerId({ transactionalId, transactionTimeout: TRANSACTION_TIMEOUT_MS }),
    );
    return { producerId: BigInt(producerId), producerEpoch };
  }

  async addPartitions(
    identity: ProducerIdentity,
    topics: readonly TransactionPartitions[],
  ): Promise<void> {
    await this.#ask("adding partitions", (broker) =>
      broker.addPartitionsToTxn({ ...this.#whose(identity), topics }),
    );
  }

  async sendOffsets(
    identity: ProducerIdentity,
    group: string,
    offsets: readonly PartitionOffset[],
  ): Promise<void> {
    const whose = { ...this.#whose(identity), groupId: group };
    await this.#ask(`adding group ${group}`, (broker) => broker.addOffsetsToTxn(whose));
    const topics = offsetsByTopic(offsets);
    await this.#until(`sending offsets of group ${group}`, async () => {
      const coordinator = await this.#parts.connection.coordinator(group);
      return await coordinator.txnOffsetCommit({ ...whose, topics });
    });
  }

  async end(identity: ProducerIdentity, how: "commit" | "abort"): Promise<void> {
    const request = { ...this.#whose(identity), transactionResult: how === "commit" };
    await this.#ask(`the ${how}`, (broker) => broker.endTxn(request));
  }

  #whose({ producerId, producerEpoch }: ProducerIdentity) {
    return {
      transactionalId: this.#parts.transactionalId,
      producerId: String(producerId),
      producerEpoch,
    };
  }

  #ask<TAnswer>(doing: string, ask: (broker: RequestBroker) => Promise<TAnswer>): Promise<TAnswer> {
    return this.#until(doing, async () => {
      try {
        this.#broker ??= await this.#parts.connection.transactionCoordinator(
          this.#parts.transactionalId,
        );
        return await ask(this.#broker);
      } catch (error) {
        // Whatever it was, the next attempt looks the coordinator up again.
        this.#broker = undefined;
        throw error;
      }
    });
  }

  async #until<TAnswer>(doing: string, attempt: () => Promise<TAnswer>): Promise<TAnswer> {
    const { clock, random, timeoutMs } = this.#parts;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await attempt();
      } catch (cause) {
        const error = this.#mapped(doing, cause);
        const isConcurrent = kafkajsErrorFacts(cause).kafkaCode === CONCURRENT_TRANSACTIONS;
        const delayMs = backOffMs(attempts, isConcurrent ? CONCURRENT_BACK_OFF : BACK_OFF, random);
        if (!error.retryable || clock.monotonicMs() + delayMs >= deadlineMs) throw error;
        await wait(clock, delayMs);
      }
    }
  }

  #mapped(doing: string, cause: unknown): BusError {
    const failure = { doing: `${doing} in a transaction of ${this.#parts.transactionalId}` };
    // A coordinator that has just begun does not know topics yet.
    if (kafkajsErrorFacts(cause).kafkaCode === UNKNOWN_TOPIC_OR_PARTITION) {
      return new BusTransportError(
        "BUS_TRANSPORT",
        `${failure.doing} failed: a partition is not known`,
        { cause },
      );
    }
    return mapKafkajsError(cause, failure);
  }
}
