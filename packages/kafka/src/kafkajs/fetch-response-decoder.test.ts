import * as fc from "fast-check";
import { describe, expect, test, beforeAll } from "vitest";
import {
  batchBytes,
  decodeOne,
  decodePartitions,
  decoding,
  messages,
  offsets,
  TOPIC,
} from "../../test/decoded-response.ts";
import { fetchResponseBytes } from "../../test/fetch-response-bytes.ts";
import type { PartitionBytes } from "../../test/fetch-response-bytes.ts";
import {
  decodeReferenceFetch,
  encodeReferenceBatch,
  encodeReferenceMessageSet,
  ReferenceBatchOfConsumer,
} from "../../test/kafkajs-reference.ts";
import { groupHeaders, referenceRecords } from "../../test/record-arbitraries.ts";
import { fetchFrom, transactionLog } from "../../test/transaction-log.ts";
import { registerCodecs } from "./compression-codecs.ts";
import { decodeRecords, hasMessageSets } from "./fetch-response-decoder.ts";
import type { FetchedElement } from "./fetch-response-decoder.ts";
import { FETCH_VERSIONS, readFetchResponse } from "./fetch-response.ts";
import { FetchedRecordBatch } from "./fetched-record-batch.ts";
import { stampProducer } from "./record-batch-writer.ts";

beforeAll(registerCodecs);

describe("decodeRecords", () => {
  test("reads from any response of any version what the client's own decoder reads", async () => {
    const batches = fc.array(
      fc.record({
        records: referenceRecords,
        compression: fc.constantFrom(0, 0, 1, 2, 4),
        firstTimestamp: fc.nat(),
      }),
      { maxLength: 3 },
    );
    const version = fc.integer(FETCH_VERSIONS);
    await fc.assert(
      fc.asyncProperty(
        fc.array(batches, { minLength: 1, maxLength: 3 }),
        version,
        async (drafts, chosen) => {
          const partitions: PartitionBytes[] = [];
          for (const [partition, draft] of drafts.entries()) {
            let firstOffset = partition * 1000;
            const records: Buffer[] = [];
            for (const { compression, firstTimestamp, records: ofBatch } of draft) {
              const lastOffsetDelta = ofBatch.at(-1)?.offsetDelta ?? 0;
              const maxTimestamp = firstTimestamp;
              records.push(
                await encodeReferenceBatch({
                  records: ofBatch,
                  compression,
                  firstOffset,
                  firstTimestamp,
                  maxTimestamp,
                  lastOffsetDelta,
                }),
              );
              firstOffset += lastOffsetDelta + 1;
            }
            partitions.push({
              partition,
              errorCode: partition,
              highWatermark: BigInt(firstOffset),
              lastStableOffset: 5n,
              logStartOffset: 1n,
              preferredReadReplica: partition,
              records: Buffer.concat(records),
            });
          }
          const payload = fetchResponseBytes(
            {
              throttleTimeMs: 3,
              errorCode: 4,
              sessionId: 5,
              topics: [{ topic: TOPIC, partitions }],
            },
            chosen,
          );
          const expected = await decodeReferenceFetch(payload, chosen);
          const response = readFetchResponse(payload, chosen);
          const elements = await decodeRecords(response, decoding());
          expect(response.throttleTimeMs).toBe(
            expected.clientSideThrottleTime ?? expected.throttleTime,
          );
          expect([response.errorCode, response.sessionId]).toEqual([
            expected.errorCode ?? 0,
            expected.sessionId ?? 0,
          ]);
          expect(
            response.topics[0]?.partitions.map(
              ({ records: _records, abortedTransactions: _aborted, ...partition }, index) => ({
                ...partition,
                messages: messages(elements[index] ?? []).map((record) => ({
                  offset: String(record.offset),
                  timestamp: String(record.timestampMs),
                  key: record.key,
                  value: record.value,
                  headers: groupHeaders(record.headers),
                })),
              }),
            ),
          ).toEqual(
            expected.responses[0]?.partitions.map(
              ({
                partition,
                errorCode,
                highWatermark,
                lastStableOffset,
                lastStartOffset,
                preferredReadReplica,
                messages: ofPartition,
              }) => ({
                partition,
                errorCode,
                highWatermark,
                lastStableOffset,
                lastStartOffset,
                preferredReadReplica,
                messages: ofPartition.map(({ offset, timestamp, key, value, headers }) => ({
                  offset,
                  timestamp,
                  key,
                  value,
                  headers,
                })),
              }),
            ),
          );
        },
      ),
    );
  });

  test("leaves a batch that the broker cut at the end to the next fetch, wherever it was cut", async () => {
    const whole = await batchBytes({ baseOffset: 0 });
    const next = await batchBytes({ baseOffset: 2 });
    for (let length = 0; length < next.length; length += 1) {
      expect(offsets(await decodeOne(Buffer.concat([whole, next.subarray(0, length)])))).toEqual([
        0, 1,
      ]);
    }
    expect(offsets(await decodeOne(Buffer.concat([whole, next])))).toEqual([0, 1, 2, 3]);
  });

  test("tells when a response holds a piece of one batch and nothing else, which no further fetch would mend", async () => {
    const piece = (await batchBytes({ baseOffset: 7 })).subarray(0, 70);
    const elements = await decodeOne(piece, { fetchOffset: () => 7 });
    expect(elements).toMatchObject([
      { kind: "unreadable", offset: "7", error: { code: "BUS_CORRUPT" } },
    ]);
  });

  test("takes a piece of a batch beside whole ones of another partition for a full response", async () => {
    const piece = (await batchBytes({ baseOffset: 7 })).subarray(0, 70);
    const whole = await batchBytes({ baseOffset: 0 });
    const [cut, full] = await decodePartitions([
      { partition: 0, records: piece },
      { partition: 1, records: whole },
    ]);
    expect(cut).toEqual([]);
    expect(full).toHaveLength(1);
  });

  test("makes nothing of partitions without records", async () => {
    expect(await decodePartitions([{ partition: 0, records: Buffer.alloc(0) }])).toEqual([[]]);
  });

  test("passes over the records of a batch before the offset that was asked for", async () => {
    const bytes = Buffer.concat([
      await batchBytes({ baseOffset: 0, count: 5 }),
      await batchBytes({ baseOffset: 5 }),
    ]);
    expect(offsets(await decodeOne(bytes, { fetchOffset: () => 3 }))).toEqual([3, 4, 5, 6]);
  });

  test("passes over a batch that ends before the offset that was asked for", async () => {
    const bytes = Buffer.concat([
      await batchBytes({ baseOffset: 0 }),
      await batchBytes({ baseOffset: 2 }),
    ]);
    expect(await decodeOne(bytes, { fetchOffset: () => 2 })).toHaveLength(1);
  });

  test.each(["gzip", "zstd", "snappy"] as const)(
    "begins in the middle of a batch compressed with %s",
    async (compression) => {
      const bytes = await batchBytes({ baseOffset: 10, count: 5, compression });
      expect(offsets(await decodeOne(bytes, { fetchOffset: () => 13 }))).toEqual([13, 14]);
    },
  );

  test.each([10, 5000])(
    "keeps the order of batches that several threads decompress (%i bytes a value)",
    async (valueBytes) => {
      const batches: Buffer[] = [];
      for (let index = 0; index < 12; index += 1) {
        batches.push(
          await batchBytes({
            baseOffset: index * 8,
            count: 8,
            valueBytes,
            ...(index % 3 === 0 ? {} : { compression: index % 2 === 0 ? "gzip" : "zstd" }),
          }),
        );
      }
      expect(offsets(await decodeOne(Buffer.concat(batches)))).toEqual(
        Array.from({ length: 96 }, (_, offset) => offset),
      );
    },
  );

  test("hides a batch that compaction emptied, and counts its offsets", async () => {
    const empty = (await batchBytes({ baseOffset: 4, count: 1 })).subarray(0, 61);
    empty.writeInt32BE(61 - 12, 8);
    empty.writeInt32BE(9, 23);
    empty.writeInt32BE(0, 57);
    const elements = await decodeOne(empty, { verifyChecksums: false });
    expect(elements).toMatchObject([{ kind: "batch", isControlRecord: true, offset: "13" }]);
  });
});

describe("decodeRecords with transactions", () => {
  const log = transactionLog([
    { producer: 1, kind: "write", count: 1 },
    { producer: 2, kind: "write", count: 2 },
    { producer: 2, kind: "abort", count: 0 },
    { producer: 1, kind: "write", count: 1 },
    { producer: 1, kind: "abort", count: 0 },
    { producer: 3, kind: "write", count: 2 },
    { producer: 3, kind: "commit", count: 0 },
  ]);
  const partition: PartitionBytes = {
    partition: 0,
    highWatermark: BigInt(log.end),
    aborted: log.aborted,
    records: fetchFrom(log, 0),
  };

  test("hides interleaved aborted transactions from the client's consumer and moves its position past them", async () => {
    const [elements] = await decodePartitions([partition]);
    const consumed = new ReferenceBatchOfConsumer(TOPIC, "0", {
      partition: 0,
      highWatermark: String(log.end),
      abortedTransactions: [],
      messages: elements,
    });
    expect(offsets(consumed.messages as FetchedElement[])).toEqual(log.visible);
    expect(consumed.lastOffset()).toBe(String(log.end - 1));
  });

  test("does so where the client's own filter shows an aborted message", async () => {
    const { responses } = await decodeReferenceFetch(
      fetchResponseBytes({ topics: [{ topic: TOPIC, partitions: [partition] }] }, 11),
      11,
    );
    const consumed = new ReferenceBatchOfConsumer(TOPIC, "0", responses[0]?.partitions[0] ?? {});
    const shown = consumed.messages.map((message) =>
      Number((message as { readonly offset: string }).offset),
    );
    expect(log.visible).toEqual([6, 7]);
    expect(shown).toEqual([0, 6, 7]);
  });

  test("shows everything but markers where the broker lists no aborted transactions", async () => {
    const [elements] = await decodePartitions([{ ...partition, aborted: null }]);
    expect(offsets(elements ?? [])).toEqual([0, 1, 2, 4, 6, 7]);
  });
});

describe("hasMessageSets", () => {
  const payload = (records: Buffer): Buffer =>
    fetchResponseBytes({ topics: [{ topic: TOPIC, partitions: [{ partition: 0, records }] }] }, 4);

  test("tells a partition of messages older than Kafka 0.11 from record batches", async () => {
    const old = encodeReferenceMessageSet([{ key: "k", value: "v", timestamp: 1 }]);
    expect(hasMessageSets(readFetchResponse(payload(old), 4))).toBe(true);
    expect(hasMessageSets(readFetchResponse(payload(await batchBytes({ baseOffset: 0 })), 4))).toBe(
      false,
    );
    expect(hasMessageSets(readFetchResponse(payload(Buffer.alloc(0)), 4))).toBe(false);
  });
});

test("a batch of an idempotent producer is told from one of a transaction", async () => {
  const bytes = stampProducer(await batchBytes({ baseOffset: 0 }), {
    producerId: 1n,
    producerEpoch: 0,
    baseSequence: 0,
  });
  const [elements] = await decodePartitions([
    { partition: 0, aborted: [{ producerId: 1n, firstOffset: 0n }], records: bytes },
  ]);
  expect(elements?.[0]).toBeInstanceOf(FetchedRecordBatch);
  expect(offsets(elements ?? [])).toEqual([0, 1]);
});
