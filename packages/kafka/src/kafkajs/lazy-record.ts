import type { HeaderList, IncomingMessage } from "@bus/core";
import { corruptRecordBatch } from "./record-batch-header.ts";
import { RecordCursor } from "./record-batch-reader.ts";
import type { ReadableRecordBatch } from "./record-batch-reader.ts";
import { VarintReader } from "./varint-reader.ts";

const NO_HEADERS: HeaderList = Object.freeze([]);
const EMPTY = Buffer.alloc(0);

/**
 * One record as a message that decodes a field when it is read first and keeps what it decoded.
 *
 * A transport extends it, so that its delivery and its message are one object.
 *
 * **Memory.** `key`, `value` and header values are views: as long as one of them, or the record, can be reached, the
 * whole fetch response (or, of a compressed batch, all its decompressed records) stays in memory, which may be 50 MB
 * for a value of 10 bytes. With the last record of a response the response is released. What a handler keeps beyond
 * its return it should copy (`copyBytes` of `@bus/core`); numbers, strings and decoded JSON pin nothing.
 */
export class LazyRecord implements IncomingMessage {
  readonly #batch: ReadableRecordBatch;
  readonly #offsetDelta: number;
  readonly #timestampDelta: number;
  readonly #keyStart: number;
  readonly #keyLength: number;
  readonly #valueStart: number;
  readonly #valueLength: number;
  readonly #headersStart: number;
  readonly #end: number;
  #key: Buffer | null | undefined = undefined;
  #value: Buffer | null | undefined = undefined;
  #headers: HeaderList | undefined = undefined;

  /** The record at which `cursor` stands. The cursor may move on afterwards. */
  constructor(cursor: RecordCursor) {
    this.#batch = cursor.batch;
    this.#offsetDelta = cursor.offsetDelta;
    this.#timestampDelta = cursor.timestampDelta;
    this.#keyStart = cursor.keyStart;
    this.#keyLength = cursor.keyLength;
    this.#valueStart = cursor.valueStart;
    this.#valueLength = cursor.valueLength;
    this.#headersStart = cursor.headersStart;
    this.#end = cursor.recordEnd;
  }

  get topic(): string {
    return this.#batch.topic;
  }

  get partition(): number {
    return this.#batch.partition;
  }

  get offset(): bigint {
    return BigInt(this.#batch.header.baseOffset + this.#offsetDelta);
  }

  /** When the producer made it, or, in topics with `message.timestamp.type=LogAppendTime`, when the broker stored it. */
  get timestampMs(): number {
    const { hasLogAppendTime, maxTimestampMs, firstTimestampMs } = this.#batch.header;
    return hasLogAppendTime ? maxTimestampMs : firstTimestampMs + this.#timestampDelta;
  }

  get key(): Buffer | null {
    return (this.#key ??= view(this.#batch.bytes, this.#keyStart, this.#keyLength));
  }

  get value(): Buffer | null {
    return (this.#value ??= view(this.#batch.bytes, this.#valueStart, this.#valueLength));
  }

  /**
   * In the order of the log, names repeated as often as they were written; a header without a value reads as empty.
   *
   * @throws BusTransportError `BUS_CORRUPT` when their bytes are not what the protocol says.
   */
  get headers(): HeaderList {
    return (this.#headers ??= readHeaders(this.#batch, this.#headersStart, this.#end));
  }
}

/**
 * Every record of a batch from an offset on.
 *
 * @throws BusTransportError `BUS_CORRUPT`; then none is returned.
 */
export function lazyRecords(batch: ReadableRecordBatch, fromOffset = 0): LazyRecord[] {
  const records: LazyRecord[] = [];
  const cursor = new RecordCursor(batch, fromOffset);
  while (cursor.next()) records.push(new LazyRecord(cursor));
  return records;
}

function view(bytes: Buffer, start: number, length: number): Buffer | null {
  return length < 0 ? null : bytes.subarray(start, start + length);
}

function readHeaders(batch: ReadableRecordBatch, start: number, end: number): HeaderList {
  const reader = new VarintReader(batch.bytes, start, end);
  try {
    const count = reader.readVarint();
    if (count < 0 || count > end - start) throw new RangeError(`${count} headers`);
    const headers: (readonly [string, Uint8Array])[] = [];
    while (headers.length < count) headers.push(readHeader(batch, reader));
    if (reader.at !== end) throw new RangeError(`${end - reader.at} bytes follow the last header`);
    return count === 0 ? NO_HEADERS : headers;
  } catch (error) {
    throw corruptRecordBatch(batch, batch.header.baseOffset, {
      reason: "headers of a record",
      cause: error,
    });
  }
}

function readHeader(
  batch: ReadableRecordBatch,
  reader: VarintReader,
): readonly [string, Uint8Array] {
  const nameLength = reader.readVarint();
  const nameStart = reader.skip(nameLength);
  const valueLength = reader.readVarint();
  const valueStart = reader.skip(Math.max(valueLength, 0));
  const name = batch.headerNames.read(batch.bytes, nameStart, nameLength);
  if (valueLength <= 0) return [name, EMPTY];
  return [name, batch.bytes.subarray(valueStart, valueStart + valueLength)];
}
