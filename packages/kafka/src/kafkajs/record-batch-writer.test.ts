import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { decodeReferenceRecords, referenceCrc32c } from "../../test/kafkajs-reference.ts";
import { groupHeaders, writableRecords } from "../../test/record-arbitraries.ts";
import { registerCodecs } from "./compression-codecs.ts";
import { lazyRecords } from "./lazy-record.ts";
import { parseRecordBatchHeader, verifyChecksum } from "./record-batch-header.ts";
import { readRecordBatch } from "./record-batch-reader.ts";
import { nextSequence, RecordBatchWriter, stampProducer } from "./record-batch-writer.ts";
import type { WritableRecord } from "./record-batch-writer.ts";

const SOURCE = { topic: "flights", partition: 3 };
const RECORD: WritableRecord = {
  key: Buffer.from("k"),
  value: Buffer.from("v"),
  headers: [],
  timestampMs: 10,
};

function write(records: readonly WritableRecord[]): Buffer {
  const writer = new RecordBatchWriter(64);
  for (const record of records) writer.append(record);
  return writer.finish() as Buffer;
}

describe("RecordBatchWriter", () => {
  beforeAll(registerCodecs);

  test("writes what the client's own decoder reads back", async () => {
    await fc.assert(
      fc.asyncProperty(writableRecords, async (records) => {
        // Names that every object has confuse the client's decoder; the next test covers them.
        const named = records.map((record) => ({
          ...record,
          headers: record.headers.filter(([name]) => !(name in {})),
        }));
        const decoded = await decodeReferenceRecords(write(named));
        expect(
          decoded.map(({ offset, timestamp, key, value, headers }) => ({
            offset,
            timestamp,
            key,
            value,
            headers,
          })),
        ).toEqual(
          named.map(({ key, value, headers, timestampMs }, index) => ({
            offset: String(index),
            timestamp: String(timestampMs),
            key,
            value,
            headers: groupHeaders(headers),
          })),
        );
      }),
    );
  });

  test("writes what our own reader reads back, header names and their order included", () => {
    fc.assert(
      fc.property(writableRecords, (records) => {
        const read = lazyRecords(readRecordBatch(write(records), 0, SOURCE));
        expect(
          read.map(({ key, value, headers, timestampMs }) => ({
            key,
            value,
            headers,
            timestampMs,
          })),
        ).toEqual(records);
      }),
    );
  });

  test("writes a checksum that the client's implementation agrees with", () => {
    fc.assert(
      fc.property(writableRecords, (records) => {
        const bytes = write(records);
        expect(bytes.readUInt32BE(17)).toBe(referenceCrc32c(bytes.subarray(21)));
      }),
    );
  });

  test("knows at every moment how large the batch is", () => {
    fc.assert(
      fc.property(writableRecords, (records) => {
        const writer = new RecordBatchWriter(64);
        expect(writer.sizeBytes).toBe(61);
        for (const record of records) writer.append(record);
        const { sizeBytes, count } = writer;
        expect([sizeBytes, count]).toEqual([(writer.finish() as Buffer).length, records.length]);
      }),
    );
  });

  test("writes the first and the largest timestamp into the header", () => {
    const header = parseRecordBatchHeader(
      write([RECORD, { ...RECORD, timestampMs: 30 }, { ...RECORD, timestampMs: 20 }]),
      0,
      SOURCE,
    );
    expect(header).toMatchObject({ firstTimestampMs: 10, maxTimestampMs: 30 });
  });

  test("writes a header that leaves offset and epoch to the broker and names no producer", () => {
    expect(parseRecordBatchHeader(write([RECORD, RECORD]), 0, SOURCE)).toMatchObject({
      baseOffset: 0,
      lastOffset: 1,
      partitionLeaderEpoch: -1,
      compression: 0,
      hasLogAppendTime: false,
      isTransactional: false,
      isControl: false,
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
      recordCount: 2,
    });
  });

  test("names the producer when there is one", () => {
    const writer = new RecordBatchWriter();
    writer.append(RECORD);
    const batch = writer.finish({
      producer: {
        producerId: 2n ** 40n,
        producerEpoch: 3,
        baseSequence: 99,
        isTransactional: true,
      },
    }) as Buffer;
    expect(parseRecordBatchHeader(batch, 0, SOURCE)).toMatchObject({
      producerId: 2 ** 40,
      producerEpoch: 3,
      baseSequence: 99,
      isTransactional: true,
    });
  });

  test("begins anew after a reset, in the same memory", () => {
    const writer = new RecordBatchWriter(64);
    writer.append({ ...RECORD, value: Buffer.alloc(1000, "x") });
    const first = writer.finish() as Buffer;
    writer.reset();
    expect([writer.count, writer.sizeBytes]).toEqual([0, 61]);
    writer.append({ ...RECORD, timestampMs: 5 });
    const second = writer.finish() as Buffer;
    expect(second).toEqual(write([{ ...RECORD, timestampMs: 5 }]));
    expect(second.buffer).toBe(first.buffer);
  });

  test("copies what it is given", () => {
    const value = Buffer.from("before");
    const writer = new RecordBatchWriter();
    writer.append({ ...RECORD, value });
    value.write("after!");
    const [record] = lazyRecords(readRecordBatch(writer.finish() as Buffer, 0, SOURCE));
    expect(record?.value?.toString()).toBe("before");
  });

  test.each(["gzip", "zstd", "snappy"] as const)(
    "compresses with %s what the client decompresses",
    async (compression) => {
      await fc.assert(
        fc.asyncProperty(writableRecords, async (records) => {
          const writer = new RecordBatchWriter();
          for (const record of records) writer.append({ ...record, headers: [] });
          const batch = await writer.finish({ compression });
          verifyChecksum(batch, 0, SOURCE);
          const decoded = await decodeReferenceRecords(batch);
          expect(decoded.map(({ key, value }) => ({ key, value }))).toEqual(
            records.map(({ key, value }) => ({ key, value })),
          );
        }),
        { numRuns: 30 },
      );
    },
  );

  test("writes the number of the compression into the attributes, beside the transactional bit", async () => {
    const writer = new RecordBatchWriter();
    writer.append(RECORD);
    const producer = { producerId: 1n, producerEpoch: 0, baseSequence: 0, isTransactional: true };
    const batch = await writer.finish({ compression: "zstd", producer });
    expect(batch.readInt16BE(21)).toBe(4 | 0x10);
  });

  test("compresses a large batch on another thread to the same bytes as a small one on this", async () => {
    const writer = new RecordBatchWriter();
    for (let index = 0; index < 1000; index += 1)
      writer.append({ ...RECORD, value: Buffer.alloc(256, "x") });
    const pending = writer.finish({ compression: "gzip" });
    expect(pending).toBeInstanceOf(Promise);
    expect(await decodeReferenceRecords(await pending)).toHaveLength(1000);
  });

  test("uses the level it is given", async () => {
    const size = async (compressionLevel: number): Promise<number> => {
      const writer = new RecordBatchWriter();
      for (let index = 0; index < 500; index += 1) {
        writer.append({
          ...RECORD,
          value: Buffer.from(`${index * 7919}-${index * 104_729}-order`),
        });
      }
      return (await writer.finish({ compression: "gzip", compressionLevel })).length;
    };
    expect(await size(9)).toBeLessThan(await size(1));
  });

  test("refuses a compression without a codec, naming it and what to install", () => {
    const writer = new RecordBatchWriter();
    writer.append(RECORD);
    let error: unknown;
    try {
      void writer.finish({ compression: "lz4" });
    } catch (thrown) {
      error = thrown;
    }
    expect(BusError.is(error, "BUS_UNSUPPORTED")).toBe(true);
    expect(String(error)).toContain("compression lz4 is not available: install kafkajs-lz4");
  });
});

describe("stampProducer", () => {
  test("lets another producer send a finished batch again", () => {
    const bytes = write([RECORD, RECORD]);
    stampProducer(bytes, { producerId: 8n, producerEpoch: 1, baseSequence: 5 });
    verifyChecksum(bytes, 0, SOURCE);
    expect(parseRecordBatchHeader(bytes, 0, SOURCE)).toMatchObject({
      producerId: 8,
      producerEpoch: 1,
      baseSequence: 5,
    });
    expect(lazyRecords(readRecordBatch(bytes, 0, SOURCE))).toHaveLength(2);
  });

  test("takes the transactional bit away again", () => {
    const bytes = write([RECORD]);
    stampProducer(bytes, {
      producerId: 8n,
      producerEpoch: 1,
      baseSequence: 5,
      isTransactional: true,
    });
    stampProducer(bytes, { producerId: 8n, producerEpoch: 1, baseSequence: 5 });
    expect(parseRecordBatchHeader(bytes, 0, SOURCE).isTransactional).toBe(false);
  });
});

describe("nextSequence", () => {
  test.each([
    [0, 10, 10],
    [2 ** 31 - 2, 1, 2 ** 31 - 1],
    [2 ** 31 - 1, 1, 0],
    [2 ** 31 - 5, 10, 5],
  ])("after %i with %i records comes %i", (base, count, next) => {
    expect(nextSequence(base, count)).toBe(next);
  });
});
