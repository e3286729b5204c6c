import type { HeaderList } from "@bus/core";
import { COMPRESSIONS, findCodec } from "./compression-codecs.ts";
import type { CompressionName } from "./compression-codecs.ts";
import { crc32c } from "./crc32c.ts";
import { RECORD_BATCH_HEADER_BYTES } from "./record-batch-header.ts";
import { varintBytes, varlongBytes, writeVarint, writeVarlong } from "./varint-writer.ts";

/** One record to write. */
export interface WritableRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Written in this order, names repeated as given. */
  readonly headers: HeaderList;
  /** Whole milliseconds since the Unix epoch. */
  readonly timestampMs: number;
}

/** The part of a batch's header that an idempotent or transactional producer fills in. */
export interface BatchProducer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Sequence number, in its partition, of the batch's first record. */
  readonly baseSequence: number;
  readonly isTransactional?: boolean;
}

/** How a batch is finished. */
export interface BatchFinish {
  /** @defaultValue a producer that is neither idempotent nor transactional */
  readonly producer?: BatchProducer;
  /** @defaultValue "none" */
  readonly compression?: CompressionName;
  /** The codec's own level; its default when absent. */
  readonly compressionLevel?: number;
}

const FORMAT = 2;
const CHECKSUM_START = 21;
const TRANSACTIONAL_FLAG = 0x10;
const NOT_IDEMPOTENT: BatchProducer = Object.freeze({
  producerId: -1n,
  producerEpoch: -1,
  baseSequence: -1,
});

/**
 * Writes record batches of format 2, one after the other, into one buffer that grows to the largest of them.
 *
 * Records are encoded as they are appended, so `sizeBytes` is exact and finishing costs a checksum only.
 * Source: KIP-98.
 */
export class RecordBatchWriter {
  #bytes: Buffer;
  #end = RECORD_BATCH_HEADER_BYTES;
  #count = 0;
  #firstTimestampMs = 0;
  #maxTimestampMs = 0;

  /** @param initialBytes - The buffer's size at first; it doubles when needed. */
  constructor(initialBytes: number = 16 * 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(initialBytes, RECORD_BATCH_HEADER_BYTES));
  }

  /** Records appended since the last `reset`. */
  get count(): number {
    return this.#count;
  }

  /** The batch as it stands, its header included, before compression. */
  get sizeBytes(): number {
    return this.#end;
  }

  /** Add a record. Its bytes are copied: the caller may reuse them. */
  append(record: WritableRecord): void {
    if (this.#count === 0) this.#firstTimestampMs = this.#maxTimestampMs = record.timestampMs;
    else if (record.timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = record.timestampMs;
    const timestampDelta = record.timestampMs - this.#firstTimestampMs;
    const bodyBytes =
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(this.#count) +
      fieldBytes(record.key) +
      fieldBytes(record.value) +
      headersBytes(record.headers);
    this.#reserve(5 + bodyBytes);
    const bytes = this.#bytes;
    let at = writeVarint(bytes, this.#end, bodyBytes);
    bytes[at++] = 0; // Attributes of a record are unused.
    at = writeVarlong(bytes, at, timestampDelta);
    at = writeVarint(bytes, at, this.#count);
    at = writeField(bytes, at, record.key);
    at = writeField(bytes, at, record.value);
    this.#end = writeHeaders(bytes, at, record.headers);
    this.#count += 1;
  }

  /**
   * The batch of all records appended since the last `reset`.
   *
   * @returns Uncompressed: a view of the writer's own buffer, valid until the next `append` or `reset`. Compressed: bytes
   *   of their own; until a promise of them resolves, nothing may be appended or reset.
   * @throws BusConfigError `BUS_UNSUPPORTED` when the compression has no codec here.
   */
  finish(finish: BatchFinish = {}): Buffer | Promise<Buffer> {
    const { producer = NOT_IDEMPOTENT, compression = "none", compressionLevel } = finish;
    this.#writeHeader(COMPRESSIONS[compression]);
    const batch = this.#bytes.subarray(0, this.#end);
    if (compression === "none") return stampProducer(batch, producer);
    const header = batch.subarray(0, RECORD_BATCH_HEADER_BYTES);
    const codec = findCodec(COMPRESSIONS[compression]);
    const records = codec.compress(batch.subarray(RECORD_BATCH_HEADER_BYTES), compressionLevel);
    if (records instanceof Promise)
      return records.then((compressed) =>
        stampProducer(Buffer.concat([header, compressed]), producer),
      );
    return stampProducer(Buffer.concat([header, records]), producer);
  }

  /** Begin the next batch in the same buffer. */
  reset(): void {
    this.#end = RECORD_BATCH_HEADER_BYTES;
    this.#count = 0;
  }

  #writeHeader(attributes: number): void {
    const bytes = this.#bytes;
    bytes.writeBigInt64BE(0n, 0); // Base offset: the broker's.
    bytes.writeInt32BE(-1, 12); // Leader epoch: the broker's.
    bytes.writeInt8(FORMAT, 16);
    bytes.writeInt16BE(attributes, 21);
    bytes.writeInt32BE(this.#count - 1, 23);
    bytes.writeBigInt64BE(BigInt(this.#firstTimestampMs), 27);
    bytes.writeBigInt64BE(BigInt(this.#maxTimestampMs), 35);
    bytes.writeInt32BE(this.#count, 57);
  }

  #reserve(moreBytes: number): void {
    const needed = this.#end + moreBytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

/**
 * Write the producer's fields, the length and the checksum of a batch in place; the rest must stand already.
 *
 * With it a batch is sent again by another producer, or with another sequence number, without encoding it again.
 *
 * @returns The same bytes.
 */
export function stampProducer(batch: Buffer, producer: BatchProducer): Buffer {
  const attributes = batch.readInt16BE(21) & ~TRANSACTIONAL_FLAG;
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt16BE(producer.isTransactional ? attributes | TRANSACTIONAL_FLAG : attributes, 21);
  batch.writeBigInt64BE(producer.producerId, 43);
  batch.writeInt16BE(producer.producerEpoch, 51);
  batch.writeInt32BE(producer.baseSequence, 53);
  batch.writeUInt32BE(crc32c(batch, CHECKSUM_START), 17);
  return batch;
}

/** The sequence number that follows a batch of `count` records: numbers go round after 2^31 - 1. */
export function nextSequence(baseSequence: number, count: number): number {
  return (baseSequence + count) % 2 ** 31;
}

function fieldBytes(field: Uint8Array | null): number {
  return field === null ? 1 : varintBytes(field.length) + field.length;
}

function headersBytes(headers: HeaderList): number {
  let total = varintBytes(headers.length);
  for (const [name, value] of headers) {
    const nameBytes = textBytes(name);
    total += varintBytes(nameBytes) + nameBytes + varintBytes(value.length) + value.length;
  }
  return total;
}

function writeField(bytes: Buffer, start: number, field: Uint8Array | null): number {
  return field === null ? writeVarint(bytes, start, -1) : writeBytes(bytes, start, field);
}

function writeHeaders(bytes: Buffer, start: number, headers: HeaderList): number {
  let at = writeVarint(bytes, start, headers.length);
  for (const [name, value] of headers) {
    at = writeText(bytes, at, name);
    at = writeBytes(bytes, at, value);
  }
  return at;
}

/** A native copy costs some 30 ns before its first byte; a short field is faster byte by byte. */
const SHORT_BYTES = 24;

function writeBytes(bytes: Buffer, start: number, field: Uint8Array): number {
  const length = field.length;
  const at = writeVarint(bytes, start, length);
  if (length > SHORT_BYTES) bytes.set(field, at);
  else for (let index = 0; index < length; index += 1) bytes[at + index] = field[index] ?? 0;
  return at + length;
}

function writeText(bytes: Buffer, start: number, text: string): number {
  const length = textBytes(text);
  const at = writeVarint(bytes, start, length);
  if (length !== text.length) bytes.write(text, at, "utf8");
  else for (let index = 0; index < length; index += 1) bytes[at + index] = text.charCodeAt(index);
  return at + length;
}

/** Bytes of the text in UTF-8; as many as characters only when it is plain ASCII. */
function textBytes(text: string): number {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text, "utf8");
  }
  return text.length;
}
