import { BusError, BusTransportError } from "@bus/core";
import type {
  Delivery,
  OutgoingMessage,
  PublishReceipt,
  TransactionRunner,
  TransportTransaction,
} from "@bus/core";
import type {
  DriverTransaction,
  KafkaDriver,
  OutgoingRecord,
  PartitionOffset,
} from "./kafka-driver.ts";

/** What a publish fails with when its transaction's producer has been given up. */
const PUBLISH_FAILURES: ReadonlySet<string> = new Set([
  "BUS_PUBLISH_FAILED",
  "BUS_PUBLISH_PARTIAL",
  "BUS_OUTCOME_UNKNOWN",
]);

/** A position that a transaction commits, and how the membership takes part. */
export interface ConsumedPosition {
  readonly group: string;
  readonly position: PartitionOffset;
  /** Keep other commits of the partition away until `release`. */
  readonly hold: () => Promise<void>;
  /** `committed`: the position is stored. */
  readonly release: (outcome: "committed" | "aborted") => void;
}

/** What transactions need of the transport. */
export interface KafkaTransactionsParts {
  readonly driver: Pick<KafkaDriver, "producer">;
  /** Publish as usual, but hand the records over to `send`. */
  readonly publish: (
    messages: readonly OutgoingMessage[],
    send: (record: OutgoingRecord) => void,
  ) => Promise<readonly PublishReceipt[]>;
  /** The position behind a delivery; `undefined` when its partition is not owned, or it is not the oldest unsettled there. */
  readonly positionAfter: (delivery: Delivery) => ConsumedPosition | undefined;
}

/** Transactions of a transport: one after another, since a transactional id has one at a time. */
export class KafkaTransactions implements TransactionRunner {
  readonly #parts: KafkaTransactionsParts;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: KafkaTransactionsParts) {
    this.#parts = parts;
  }

  run<TResult>(body: (transaction: TransportTransaction) => Promise<TResult>): Promise<TResult> {
    const run = this.#last.then(() => this.#run(body));
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #run<TResult>(
    body: (transaction: TransportTransaction) => Promise<TResult>,
  ): Promise<TResult> {
    const { transactions } = this.#parts.driver.producer;
    if (transactions === undefined) {
      throw new BusTransportError(
        "BUS_UNSUPPORTED",
        "transactions need the option producer.transactionalId",
      );
    }
    const transaction = await transactions.begin();
    const consumed: ConsumedPosition[] = [];
    try {
      const result = await body(this.#open(transaction, consumed));
      await commit(transaction, consumed);
      return result;
    } catch (error) {
      for (const { release } of consumed) release("aborted");
      throw await abortAfter(transaction, error);
    }
  }

  #open(transaction: DriverTransaction, consumed: ConsumedPosition[]): TransportTransaction {
    return {
      publish: (messages) => this.#parts.publish(messages, (record) => transaction.send(record)),
      consumed: (delivery) => {
        const position = this.#parts.positionAfter(delivery);
        if (position !== undefined) {
          consumed.push(position);
          return;
        }
        const where = `${delivery.topic}[${delivery.partition}] offset ${delivery.offset}`;
        throw new BusTransportError(
          "BUS_FENCED",
          `${where} is not owned any more, or not the oldest unsettled message of its partition`,
        );
      },
    };
  }
}

async function commit(
  transaction: DriverTransaction,
  consumed: readonly ConsumedPosition[],
): Promise<void> {
  const byGroup = new Map<string, PartitionOffset[]>();
  for (const { group, position, hold } of consumed) {
    // A plain commit of an older position that comes later would undo the transaction's.
    await hold();
    byGroup.set(group, [...(byGroup.get(group) ?? []), position]);
  }
  for (const [group, offsets] of byGroup) await transaction.sendOffsets(group, offsets);
  await transaction.commit();
  for (const { release } of consumed) release("committed");
}

/** What the caller must hear: what went wrong first, or that it did because another producer has taken the id over. */
async function abortAfter(transaction: DriverTransaction, error: unknown): Promise<unknown> {
  try {
    await transaction.abort();
    return error;
  } catch (cause) {
    // Else the broker aborts it by itself, when its time is over or the next transaction begins.
    return BusError.is(cause, "BUS_FENCED") && isPublishFailure(error) ? cause : error;
  }
}

function isPublishFailure(error: unknown): boolean {
  return BusError.is(error) && PUBLISH_FAILURES.has(error.code);
}
