import { BusError } from "@bus/core";
import { AbortedTransactions } from "./aborted-transactions.ts";
import { findCodec } from "./compression-codecs.ts";
import type { FetchedPartition, FetchResponse } from "./fetch-response.ts";
import { FetchedRecordBatch, UnreadableRecordBatch } from "./fetched-record-batch.ts";
import type { HeaderNames } from "./header-names.ts";
import {
  corruptRecordBatch,
  recordBatchSize,
  recordFormat,
  verifyChecksum,
} from "./record-batch-header.ts";
import type { RecordSource } from "./record-batch-header.ts";
import { readRecordBatch } from "./record-batch-reader.ts";
import type { ReadableRecordBatch } from "./record-batch-reader.ts";

/** How to read the records of one fetch response. */
export interface RecordDecoding {
  /** The offset that was asked for. */
  fetchOffset(topic: string, partition: number): number;
  /** Compare every batch with its checksum: about 0.5 ns a byte. */
  readonly verifyChecksums: boolean;
  readonly headerNames: HeaderNames;
}

/** What stands for a partition's records. */
export type FetchedElement = FetchedRecordBatch | UnreadableRecordBatch;

/**
 * Whether a partition begins with messages of format 0 or 1, which only topics written by clients before Kafka 0.11
 * hold and which Kafka 4 no longer serves.
 */
export function hasMessageSets(response: FetchResponse): boolean {
  return response.topics.some(({ partitions }) =>
    partitions.some(({ records }) => {
      const format = recordFormat(records, 0);
      return format === 0 || format === 1;
    }),
  );
}

/**
 * The record batches of each partition, decompressed, in the order of the log and of `response`.
 *
 * Nothing is skipped: a partition's list ends before the first batch that cannot be read, so that the next fetch
 * begins there; if that is the first one, an `UnreadableRecordBatch` tells. The other partitions are not affected. A
 * batch that the broker cut at the end is left to the next fetch.
 */
export async function decodeRecords(
  response: FetchResponse,
  decoding: RecordDecoding,
): Promise<FetchedElement[][]> {
  const scans = response.topics.flatMap(({ topic, partitions }) =>
    partitions.map((fetched) => scanPartition(topic, fetched, decoding)),
  );
  const elements = await Promise.all(scans.map(settle));
  // KIP-74: a broker sends at least one whole batch. Where it sends but a piece of one, no further fetch will do.
  if (elements.some((ofPartition) => ofPartition.length > 0)) return elements;
  return scans.map(cutBatch);
}

/** A batch, or the promise of one whose records another thread decompresses. */
type Opened = FetchedRecordBatch | Promise<FetchedRecordBatch>;

/** One partition's records gone through once; decompression of its batches may still be going on. */
interface Scan {
  readonly source: RecordSource;
  readonly fetchOffset: number;
  readonly batches: readonly Opened[];
  /** Why the scan ended before the end of the records. */
  readonly error: unknown;
  /** What follows the last whole batch. */
  readonly rest: Buffer;
}

function scanPartition(topic: string, fetched: FetchedPartition, decoding: RecordDecoding): Scan {
  const { partition, records } = fetched;
  const source = { topic, partition, headerNames: decoding.headerNames };
  const fetchOffset = decoding.fetchOffset(topic, partition);
  const aborted = new AbortedTransactions(fetched.abortedTransactions);
  const batches: Opened[] = [];
  let at = 0;
  let error: unknown;
  try {
    for (
      let size = recordBatchSize(records, 0, source);
      size !== undefined;
      size = recordBatchSize(records, at, source)
    ) {
      const batch = readRecordBatch(records, at, source);
      if (decoding.verifyChecksums) verifyChecksum(records, at, source);
      const isHidden = aborted.hides(batch) || batch.header.recordCount === 0;
      if (batch.header.lastOffset >= fetchOffset)
        batches.push(open(batch, { fetchOffset, isHidden }));
      at += size;
    }
  } catch (thrown) {
    error = thrown;
  }
  return { source, fetchOffset, batches, error, rest: records.subarray(at) };
}

function open(
  batch: ReadableRecordBatch,
  reading: { readonly fetchOffset: number; readonly isHidden: boolean },
): FetchedRecordBatch | Promise<FetchedRecordBatch> {
  if (reading.isHidden || batch.header.compression === 0)
    return new FetchedRecordBatch(batch, reading);
  const records = findCodec(batch.header.compression).decompress(
    batch.bytes.subarray(batch.recordsStart, batch.recordsEnd),
  );
  if (records instanceof Promise) {
    const opened = records.then(
      (bytes) => new FetchedRecordBatch(decompressed(batch, bytes), reading),
    );
    // `settle` meets a rejection when the batches before have been dealt with; until then it is not unhandled.
    opened.catch(() => undefined);
    return opened;
  }
  return new FetchedRecordBatch(decompressed(batch, records), reading);
}

function decompressed(batch: ReadableRecordBatch, bytes: Buffer): ReadableRecordBatch {
  return { ...batch, bytes, recordsStart: 0, recordsEnd: bytes.length };
}

async function settle(scan: Scan): Promise<FetchedElement[]> {
  const elements: FetchedElement[] = [];
  try {
    for (const batch of scan.batches) elements.push(batch instanceof Promise ? await batch : batch);
  } catch (error) {
    return stopped(scan, elements, error);
  }
  return scan.error === undefined ? elements : stopped(scan, elements, scan.error);
}

function stopped(
  scan: Scan,
  elements: readonly FetchedElement[],
  error: unknown,
): FetchedElement[] {
  if (elements.length > 0) return [...elements];
  return [new UnreadableRecordBatch(scan.fetchOffset, asBusError(scan, error))];
}

function asBusError(scan: Scan, error: unknown): BusError {
  if (BusError.is(error)) return error;
  return corruptRecordBatch(scan.source, scan.fetchOffset, {
    reason: "its records cannot be decompressed",
    cause: error,
  });
}

function cutBatch(scan: Scan): FetchedElement[] {
  if (scan.rest.length === 0) return [];
  const reason = `the broker sent ${scan.rest.length} bytes of its first batch and nothing else`;
  return [
    new UnreadableRecordBatch(
      scan.fetchOffset,
      corruptRecordBatch(scan.source, scan.fetchOffset, { reason }),
    ),
  ];
}
