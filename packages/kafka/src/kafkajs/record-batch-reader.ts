import { HeaderNames } from "./header-names.ts";
import {
  corruptRecordBatch,
  parseRecordBatchHeader,
  RECORD_BATCH_HEADER_BYTES,
} from "./record-batch-header.ts";
import { VarintReader } from "./varint-reader.ts";
import type { RecordBatchHeader, RecordSource } from "./record-batch-header.ts";

/** A record batch whose records can be read: `bytes[recordsStart, recordsEnd)` holds them uncompressed. */
export interface ReadableRecordBatch extends RecordSource {
  readonly header: RecordBatchHeader;
  /** The fetch response, or the decompressed records. Every view handed out keeps all of it in memory. */
  readonly bytes: Buffer;
  readonly recordsStart: number;
  readonly recordsEnd: number;
  /** Shared by the batches of one consumer. */
  readonly headerNames: HeaderNames;
}

/**
 * The uncompressed batch that starts at `at` of `bytes`, which must hold all of it (`recordBatchSize`).
 *
 * @throws BusTransportError `BUS_CORRUPT`.
 */
export function readRecordBatch(
  bytes: Buffer,
  at: number,
  source: RecordSource & { readonly headerNames?: HeaderNames },
): ReadableRecordBatch {
  const header = parseRecordBatchHeader(bytes, at, source);
  return {
    topic: source.topic,
    partition: source.partition,
    header,
    bytes,
    recordsStart: at + RECORD_BATCH_HEADER_BYTES,
    recordsEnd: at + header.sizeBytes,
    headerNames: source.headerNames ?? new HeaderNames(),
  };
}

/**
 * Walks the records of one batch and holds the positions of the current one: nothing is decoded and nothing is
 * allocated for a record. The fields are valid from a `next()` that returned true until the next call.
 *
 * Positions are indexes into `batch.bytes`; a length of -1 stands for null.
 */
export class RecordCursor {
  readonly batch: ReadableRecordBatch;
  /** The record's offset is `batch.header.baseOffset + offsetDelta`. */
  offsetDelta = -1;
  /** Milliseconds after `batch.header.firstTimestampMs`. */
  timestampDelta = 0;
  keyStart = 0;
  keyLength = -1;
  valueStart = 0;
  valueLength = -1;
  headersStart = 0;
  recordEnd = 0;
  /** What the record takes up, uncompressed: key, value, headers and framing. */
  sizeBytes = 0;
  #remaining: number;
  readonly #firstDelta: number;
  readonly #reader: VarintReader;

  /** @param fromOffset - Records below are passed over: a fetch may begin in the middle of a batch. */
  constructor(batch: ReadableRecordBatch, fromOffset = 0) {
    this.batch = batch;
    this.#remaining = batch.header.recordCount;
    this.#firstDelta = fromOffset - batch.header.baseOffset;
    this.#reader = new VarintReader(batch.bytes, batch.recordsStart, batch.recordsEnd);
  }

  /**
   * Move to the next record.
   *
   * @returns False after the last one.
   * @throws BusTransportError `BUS_CORRUPT`, naming the batch, as soon as a record's positions cannot be right; the
   *   records before it are valid. Headers are checked when they are read.
   */
  next(): boolean {
    try {
      while (this.#remaining > 0) {
        this.#remaining -= 1;
        this.#readRecord();
        if (this.offsetDelta >= this.#firstDelta) return true;
      }
    } catch (error) {
      throw this.#corrupt(
        `a record after offset ${this.batch.header.baseOffset + this.offsetDelta}`,
        error,
      );
    }
    if (this.#reader.at === this.batch.recordsEnd) return false;
    throw this.#corrupt(`${this.batch.recordsEnd - this.#reader.at} bytes follow its last record`);
  }

  #readRecord(): void {
    const reader = this.#reader;
    const sizeBytes = reader.readVarint();
    const end = reader.at + sizeBytes;
    reader.at += 1; // Attributes of a record are unused.
    this.timestampDelta = reader.readVarlong();
    const offsetDelta = reader.readVarint();
    this.keyLength = reader.readVarint();
    this.keyStart = reader.at;
    if (this.keyLength > 0) reader.at += this.keyLength;
    this.valueLength = reader.readVarint();
    this.valueStart = reader.at;
    if (this.valueLength > 0) reader.at += this.valueLength;
    this.headersStart = reader.at;
    if (reader.at >= end || end > this.batch.recordsEnd)
      throw new RangeError("its fields do not fit its size");
    if (this.keyLength < -1 || this.valueLength < -1) throw new RangeError("a length is negative");
    if (offsetDelta <= this.offsetDelta) throw new RangeError("offsets do not ascend");
    this.offsetDelta = offsetDelta;
    this.sizeBytes = sizeBytes;
    this.recordEnd = end;
    reader.at = end;
  }

  #corrupt(reason: string, cause?: unknown): Error {
    return corruptRecordBatch(this.batch, this.batch.header.baseOffset, { reason, cause });
  }
}
