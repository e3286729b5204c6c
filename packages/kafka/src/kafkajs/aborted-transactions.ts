import { corruptRecordBatch } from "./record-batch-header.ts";
import { RecordCursor } from "./record-batch-reader.ts";
import type { ReadableRecordBatch } from "./record-batch-reader.ts";

/** Type field in the key of a transaction's end marker. */
const ABORT = 0;

/** One entry of a fetch response's list of aborted transactions. */
export interface AbortedTransaction {
  readonly producerId: number;
  /** Offset of the transaction's first record in this partition. */
  readonly firstOffset: number;
}

/**
 * Tells, batch by batch in the order of the log, which batches of a partition a `read_committed` reader must not see.
 *
 * A producer's transaction is aborted from its first offset to its abort marker; transactions of several producers
 * interleave, and the broker lists them in the order in which they ended, not in which they began.
 *
 * Source: `CompletedFetch.nextFetchedRecord` in Apache Kafka.
 */
export class AbortedTransactions {
  readonly #upcoming: AbortedTransaction[];
  readonly #aborting = new Set<number>();

  /** @param transactions - In any order; empty for `read_uncommitted`. */
  constructor(transactions: readonly AbortedTransaction[]) {
    this.#upcoming = transactions.toSorted((a, b) => b.firstOffset - a.firstOffset);
  }

  /**
   * Whether to pass over the batch: it holds a transaction marker, or messages of an aborted transaction.
   *
   * @throws BusTransportError `BUS_CORRUPT` when a marker cannot be read.
   */
  hides(batch: ReadableRecordBatch): boolean {
    const { isControl, isTransactional, lastOffset, producerId } = batch.header;
    if (!isControl && !isTransactional) return false;
    for (
      let next = this.#upcoming.at(-1);
      next !== undefined && next.firstOffset <= lastOffset;
      next = this.#upcoming.at(-1)
    ) {
      this.#aborting.add(next.producerId);
      this.#upcoming.pop();
    }
    if (isControl && isAbortMarker(batch)) this.#aborting.delete(producerId);
    return isControl || this.#aborting.has(producerId);
  }
}

function isAbortMarker(batch: ReadableRecordBatch): boolean {
  if (batch.header.recordCount === 0) return false;
  const marker = new RecordCursor(batch);
  if (batch.header.compression === 0 && marker.next() && marker.keyLength >= 4) {
    return batch.bytes.readInt16BE(marker.keyStart + 2) === ABORT;
  }
  throw corruptRecordBatch(batch, batch.header.baseOffset, {
    reason: "its control record has no type",
  });
}
