import { decodeRecords } from "../src/kafkajs/fetch-response-decoder.ts";
import type { FetchedElement, RecordDecoding } from "../src/kafkajs/fetch-response-decoder.ts";
import { readFetchResponse } from "../src/kafkajs/fetch-response.ts";
import { HeaderNames } from "../src/kafkajs/header-names.ts";
import { LazyRecord } from "../src/kafkajs/lazy-record.ts";
import { RecordBatchWriter } from "../src/kafkajs/record-batch-writer.ts";
import { fetchResponseBytes } from "./fetch-response-bytes.ts";
import type { PartitionBytes } from "./fetch-response-bytes.ts";

/** The topic of all responses built here. */
export const TOPIC = "flights";

/** Decoding from offset 0 with checksums. */
export function decoding(overrides: Partial<RecordDecoding> = {}): RecordDecoding {
  return {
    fetchOffset: () => 0,
    verifyChecksums: true,
    headerNames: new HeaderNames(),
    ...overrides,
  };
}

/** Decode a response with these partitions. */
export async function decodePartitions(
  partitions: readonly PartitionBytes[],
  overrides: Partial<RecordDecoding> = {},
): Promise<FetchedElement[][]> {
  const payload = fetchResponseBytes({ topics: [{ topic: TOPIC, partitions }] }, 11);
  return await decodeRecords(readFetchResponse(payload, 11), decoding(overrides));
}

/** Decode a response with one partition. */
export async function decodeOne(
  records: Buffer,
  overrides: Partial<RecordDecoding> = {},
): Promise<FetchedElement[]> {
  const [elements] = await decodePartitions([{ partition: 0, records }], overrides);
  return elements ?? [];
}

/** Every message that a consumer would see. @throws the error of an unreadable element. */
export function messages(elements: readonly FetchedElement[]): LazyRecord[] {
  const records: LazyRecord[] = [];
  for (const element of elements) {
    if (element.kind === "unreadable") throw element.error;
    if (element.isControlRecord) continue;
    const cursor = element.cursor();
    while (cursor.next()) records.push(new LazyRecord(cursor));
  }
  return records;
}

/** Offsets of `messages`. */
export function offsets(elements: readonly FetchedElement[]): number[] {
  return messages(elements).map(({ offset }) => Number(offset));
}

/** A batch to write. */
export interface BatchSpec {
  readonly baseOffset: number;
  readonly count?: number;
  readonly compression?: "gzip" | "zstd" | "snappy";
  readonly valueBytes?: number;
}

/** A batch whose values hardly compress. */
export async function batchBytes(spec: BatchSpec): Promise<Buffer> {
  const { baseOffset, count = 2, compression, valueBytes = 10 } = spec;
  const writer = new RecordBatchWriter(64);
  for (let index = 0; index < count; index += 1) {
    const value = Buffer.from(
      Array.from({ length: valueBytes }, (_, at) => Math.imul(at + index, 2_654_435_761) >>> 25),
    );
    writer.append({ key: null, value, headers: [], timestampMs: 1 });
  }
  const bytes = Buffer.from(await writer.finish(compression === undefined ? {} : { compression }));
  bytes.writeBigInt64BE(BigInt(baseOffset), 0);
  return bytes;
}

/** The bytes with one of them inverted. */
export function spoilt(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}
