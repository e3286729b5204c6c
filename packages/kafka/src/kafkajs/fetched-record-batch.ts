import type { BusError } from "@bus/core";
import { RecordCursor } from "./record-batch-reader.ts";
import type { ReadableRecordBatch } from "./record-batch-reader.ts";

/**
 * One element of `batch.messages` in `eachBatch` of a consumer with lazy fetching: a whole record batch, where kafkajs
 * would put one element per message.
 *
 * `offset` and `isControlRecord` are what kafkajs' own code reads: it drops elements below the fetched offset and those
 * marked as control records, and resolves `batch.lastOffset()`, the offset of the last element.
 */
export class FetchedRecordBatch {
  readonly kind = "batch";
  /** Last offset of the batch, as kafkajs writes offsets. */
  readonly offset: string;
  /** True for what a reader must not see: markers, aborted transactions, batches that compaction emptied. */
  readonly isControlRecord: boolean;
  readonly batch: ReadableRecordBatch;
  readonly #fetchOffset: number;

  constructor(
    batch: ReadableRecordBatch,
    reading: { readonly fetchOffset: number; readonly isHidden: boolean },
  ) {
    this.batch = batch;
    this.offset = String(batch.header.lastOffset);
    this.isControlRecord = reading.isHidden;
    this.#fetchOffset = reading.fetchOffset;
  }

  /** The records of the batch from the fetched offset on. */
  cursor(): RecordCursor {
    return new RecordCursor(this.batch, this.#fetchOffset);
  }
}

/**
 * Stands at the position of a partition that cannot be read on: bytes that are not what the protocol says, or a
 * compression without a codec. It comes first and alone; what could be read before it came with an earlier fetch.
 *
 * Whoever consumes it must not resolve its offset, which would skip it: hold the partition and report `error`.
 */
export class UnreadableRecordBatch {
  readonly kind = "unreadable";
  /** The fetched offset. */
  readonly offset: string;
  readonly isControlRecord = false;
  /** `BUS_CORRUPT` or `BUS_UNSUPPORTED`. */
  readonly error: BusError;

  constructor(fetchOffset: number, error: BusError) {
    this.offset = String(fetchOffset);
    this.error = error;
  }
}
