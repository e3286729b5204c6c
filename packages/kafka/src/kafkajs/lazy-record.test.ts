import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { decodeReferenceRecords, encodeReferenceBatch } from "../../test/kafkajs-reference.ts";
import type { ReferenceBatch } from "../../test/kafkajs-reference.ts";
import { groupHeaders, referenceRecords, writableRecords } from "../../test/record-arbitraries.ts";
import { LazyRecord, lazyRecords } from "./lazy-record.ts";
import { RecordCursor, readRecordBatch } from "./record-batch-reader.ts";
import { RecordBatchWriter } from "./record-batch-writer.ts";
import type { WritableRecord } from "./record-batch-writer.ts";

const SOURCE = { topic: "flights", partition: 3 };

/** A batch that the client's own encoder can write. */
const referenceBatch = fc
  .record({
    records: referenceRecords,
    firstOffset: fc.oneof(
      fc.nat({ max: 1000 }),
      fc.maxSafeNat().map((n) => Math.floor(n / 2)),
    ),
    firstTimestamp: fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
    compactedTail: fc.nat({ max: 3 }),
  })
  .map(({ records, compactedTail, ...batch }) => ({
    ...batch,
    records,
    maxTimestamp: batch.firstTimestamp + 5_000,
    lastOffsetDelta: (records.at(-1)?.offsetDelta ?? 0) + compactedTail,
  })) satisfies fc.Arbitrary<ReferenceBatch>;

function asReference(record: LazyRecord): object {
  return {
    offset: String(record.offset),
    timestamp: String(record.timestampMs),
    key: record.key,
    value: record.value,
    headers: groupHeaders(record.headers),
  };
}

function write(...records: readonly WritableRecord[]): Buffer {
  const writer = new RecordBatchWriter(64);
  for (const record of records) writer.append(record);
  return writer.finish() as Buffer;
}

const RECORD: WritableRecord = {
  key: Buffer.from("k"),
  value: Buffer.from("v"),
  headers: [],
  timestampMs: 1,
};

describe("LazyRecord", () => {
  test("reads from any batch of the client's encoder what the client's own decoder reads", async () => {
    await fc.assert(
      fc.asyncProperty(referenceBatch, fc.boolean(), async (batch, hasLogAppendTime) => {
        const bytes = await encodeReferenceBatch(batch);
        if (hasLogAppendTime) bytes.writeInt16BE(bytes.readInt16BE(21) | 0x08, 21);
        const expected = (await decodeReferenceRecords(bytes)).map(
          ({ offset, timestamp, key, value, headers }) => ({
            offset,
            timestamp,
            key,
            value,
            headers,
          }),
        );
        const records = lazyRecords(readRecordBatch(bytes, 0, SOURCE));
        expect(records.map(asReference)).toEqual(expected);
      }),
    );
  });

  test("gives headers in the order of the log, repeated names and foreign ones included", () => {
    fc.assert(
      fc.property(writableRecords, (written) => {
        const records = lazyRecords(readRecordBatch(write(...written), 0, SOURCE));
        const plain = records.map(({ headers }) =>
          headers.map(([name, value]) => [name, Buffer.from(value)]),
        );
        expect(plain).toEqual(written.map(({ headers }) => headers));
      }),
    );
  });

  test("names topic, partition and a bigint offset", () => {
    const [record] = lazyRecords(readRecordBatch(write(RECORD), 0, SOURCE));
    expect(record).toMatchObject({ topic: "flights", partition: 3, offset: 0n, timestampMs: 1 });
  });

  test("gives the same view each time a field is read", () => {
    const [record] = lazyRecords(readRecordBatch(write(RECORD), 0, SOURCE));
    expect(record?.value).toBe(record?.value);
    expect(record?.key).toBe(record?.key);
    expect(record?.headers).toBe(record?.headers);
  });

  test("keeps null apart from empty", () => {
    const bytes = write(
      { ...RECORD, key: null, value: Buffer.alloc(0) },
      { ...RECORD, key: Buffer.alloc(0), value: null },
    );
    const [first, second] = lazyRecords(readRecordBatch(bytes, 0, SOURCE));
    expect([first?.key, first?.value?.length]).toEqual([null, 0]);
    expect([second?.key?.length, second?.value]).toEqual([0, null]);
  });

  test("reads a header without a value as an empty one", () => {
    const bytes = write({ ...RECORD, headers: [["h", Buffer.alloc(0)]] });
    bytes[bytes.length - 1] = 1; // zigzag of -1, null
    const [record] = lazyRecords(readRecordBatch(bytes, 0, SOURCE));
    expect(record?.headers).toEqual([["h", Buffer.alloc(0)]]);
  });

  test("can be extended, so that one object per message is made", () => {
    class Ticketed extends LazyRecord {
      readonly ticket: number;
      constructor(cursor: RecordCursor, ticket: number) {
        super(cursor);
        this.ticket = ticket;
      }
    }
    const cursor = new RecordCursor(readRecordBatch(write(RECORD, RECORD), 0, SOURCE));
    cursor.next();
    const first = new Ticketed(cursor, 7);
    cursor.next();
    const second = new Ticketed(cursor, 8);
    expect([first.offset, first.ticket, second.offset, second.ticket]).toEqual([0n, 7, 1n, 8]);
  });

  test.each([
    ["more headers than bytes", 0x7e],
    ["a negative count", 0x03],
    ["a number that does not end", 0x80],
  ])("refuses headers with %s as corrupt, naming the place", (_name, count) => {
    const bytes = write(RECORD);
    bytes[bytes.length - 1] = count;
    const [record] = lazyRecords(readRecordBatch(bytes, 0, SOURCE));
    const error = catching(() => record?.headers);
    expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
    expect(error).toMatchObject({ details: { topic: "flights", partition: 3, offset: 0n } });
  });

  test("refuses overwritten header bytes, or reads others, but never beyond its record", () => {
    const headers = [
      ["one", Buffer.from("1")],
      ["two", Buffer.from("22")],
    ] as const;
    const next = { ...RECORD, key: Buffer.alloc(60, 0xaa) };
    const size = write({ ...RECORD, headers }).length;
    fc.assert(
      fc.property(fc.nat({ max: 13 }), fc.nat({ max: 255 }), (fromEnd, byte) => {
        const bytes = write({ ...RECORD, headers }, next);
        bytes[size - 1 - fromEnd] = byte;
        const read = catching(() => lazyRecords(readRecordBatch(bytes, 0, SOURCE))[0]?.headers);
        if (BusError.is(read, "BUS_CORRUPT")) return;
        expect(read).toBeInstanceOf(Array);
        expect(JSON.stringify(read)).not.toContain("170,170");
      }),
    );
  });
});

function catching(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
