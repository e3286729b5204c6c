import { BusTransportError } from "@bus/core";
import { crc32c } from "./crc32c.ts";

/** Bytes of a record batch before its first record. */
export const RECORD_BATCH_HEADER_BYTES = 61;

/** Base offset and length: the bytes that the length field itself does not count. */
const LENGTH_PREFIX_BYTES = 12;
const CHECKSUM_START = 21;

const COMPRESSION_MASK = 0x07;
const LOG_APPEND_TIME_FLAG = 0x08;
const TRANSACTIONAL_FLAG = 0x10;
const CONTROL_FLAG = 0x20;

/** Where bytes came from, for errors. */
export interface RecordSource {
  readonly topic: string;
  readonly partition: number;
}

/**
 * The header of a record batch of format 2.
 *
 * 64-bit fields are numbers, exact up to 2^53 - 1; the parser refuses a batch with offsets beyond.
 * Source: KIP-98, `DefaultRecordBatch` in Apache Kafka.
 */
export interface RecordBatchHeader {
  readonly baseOffset: number;
  /** `baseOffset + lastOffsetDelta`; compaction may have removed the record that had it. */
  readonly lastOffset: number;
  /** The whole batch, header included. */
  readonly sizeBytes: number;
  readonly partitionLeaderEpoch: number;
  readonly checksum: number;
  /** Kafka's number of the codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly compression: number;
  /** The broker's time stands for the whole batch (`maxTimestampMs`), not the producer's for each record. */
  readonly hasLogAppendTime: boolean;
  readonly isTransactional: boolean;
  /** Holds a transaction's commit or abort marker, never messages. */
  readonly isControl: boolean;
  readonly firstTimestampMs: number;
  readonly maxTimestampMs: number;
  /** -1 when the producer was neither idempotent nor transactional. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/**
 * `BUS_CORRUPT` for bytes that are not what the protocol says.
 *
 * @param offset - The base offset of the batch, or the offset that was asked for when the batch has none.
 */
export function corruptRecordBatch(
  source: RecordSource,
  offset: number | bigint,
  problem: { readonly reason: string; readonly cause?: unknown },
): BusTransportError {
  const where = `record batch at offset ${offset} of ${source.topic}[${source.partition}]`;
  return new BusTransportError("BUS_CORRUPT", `${where} cannot be read: ${problem.reason}`, {
    details: {
      topic: source.topic,
      partition: source.partition,
      offset: BigInt(offset),
      reason: problem.reason,
    },
    cause: problem.cause,
  });
}

/**
 * The size of the batch that starts at `at`, header included, or `undefined` when the bytes end before it does:
 * a broker may cut the last batch of a fetch, and a client reads it again with the next one.
 *
 * @throws BusTransportError `BUS_CORRUPT` when the length field is too small for a header.
 */
export function recordBatchSize(
  bytes: Buffer,
  at: number,
  source: RecordSource,
): number | undefined {
  if (at + LENGTH_PREFIX_BYTES > bytes.length) return undefined;
  const length = bytes.readInt32BE(at + 8);
  if (length < RECORD_BATCH_HEADER_BYTES - LENGTH_PREFIX_BYTES) {
    throw corruptRecordBatch(source, bytes.readBigInt64BE(at), {
      reason: `its length field is ${length}`,
    });
  }
  const sizeBytes = LENGTH_PREFIX_BYTES + length;
  return at + sizeBytes > bytes.length ? undefined : sizeBytes;
}

/** The format of the batch or message that starts at `at`: 2 for record batches, 0 or 1 for older message sets. */
export function recordFormat(bytes: Buffer, at: number): number | undefined {
  return at + 16 < bytes.length ? bytes.readInt8(at + 16) : undefined;
}

/**
 * Parse the header of the record batch that starts at `at`; `bytes` must hold the whole batch (`recordBatchSize`).
 *
 * @throws BusTransportError `BUS_CORRUPT` for another format and for fields that contradict each other.
 */
export function parseRecordBatchHeader(
  bytes: Buffer,
  at: number,
  source: RecordSource,
): RecordBatchHeader {
  const attributes = bytes.readInt16BE(at + 21);
  const baseOffset = readInt64(bytes, at);
  const lastOffset = baseOffset + bytes.readInt32BE(at + 23);
  const header: RecordBatchHeader = {
    baseOffset,
    lastOffset,
    sizeBytes: LENGTH_PREFIX_BYTES + bytes.readInt32BE(at + 8),
    partitionLeaderEpoch: bytes.readInt32BE(at + 12),
    checksum: bytes.readUInt32BE(at + 17),
    compression: attributes & COMPRESSION_MASK,
    hasLogAppendTime: (attributes & LOG_APPEND_TIME_FLAG) !== 0,
    isTransactional: (attributes & TRANSACTIONAL_FLAG) !== 0,
    isControl: (attributes & CONTROL_FLAG) !== 0,
    firstTimestampMs: readInt64(bytes, at + 27),
    maxTimestampMs: readInt64(bytes, at + 35),
    producerId: readInt64(bytes, at + 43),
    producerEpoch: bytes.readInt16BE(at + 51),
    baseSequence: bytes.readInt32BE(at + 53),
    recordCount: bytes.readInt32BE(at + 57),
  };
  const reason = contradiction(header, bytes.readInt8(at + 16));
  if (reason !== undefined) throw corruptRecordBatch(source, bytes.readBigInt64BE(at), { reason });
  return header;
}

/**
 * Compare the batch that starts at `at` with its checksum, which covers everything from the attributes on (not the
 * base offset, the length and the leader epoch, which a broker may write).
 *
 * @throws BusTransportError `BUS_CORRUPT` when they differ.
 */
export function verifyChecksum(bytes: Buffer, at: number, source: RecordSource): void {
  const sizeBytes = LENGTH_PREFIX_BYTES + bytes.readInt32BE(at + 8);
  const expected = bytes.readUInt32BE(at + 17);
  const actual = crc32c(bytes, at + CHECKSUM_START, at + sizeBytes);
  if (actual === expected) return;
  throw corruptRecordBatch(source, bytes.readBigInt64BE(at), {
    reason: `its checksum is ${expected} but its bytes give ${actual}`,
  });
}

function contradiction(header: RecordBatchHeader, format: number): string | undefined {
  const { baseOffset, lastOffset, recordCount } = header;
  if (format !== 2) return `its format is ${format}, only format 2 is known`;
  if (baseOffset < 0 || !Number.isSafeInteger(lastOffset))
    return "its base offset lies outside 0 … 2^53 - 1";
  if (lastOffset < baseOffset) return `its last offset ${lastOffset} lies before its base offset`;
  if (recordCount < 0 || recordCount > lastOffset - baseOffset + 1) {
    return `it declares ${recordCount} records for ${lastOffset - baseOffset + 1} offsets`;
  }
  return undefined;
}

function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
