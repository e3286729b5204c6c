import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { writableRecords } from "../../test/record-arbitraries.ts";
import { lazyRecords } from "./lazy-record.ts";
import { RecordCursor, readRecordBatch } from "./record-batch-reader.ts";
import { RecordBatchWriter } from "./record-batch-writer.ts";

const SOURCE = { topic: "flights", partition: 3 };

function write(count: number): Buffer {
  const writer = new RecordBatchWriter(64);
  for (let index = 0; index < count; index += 1) {
    writer.append({
      key: Buffer.from(`key-${index}`),
      value: Buffer.from(`value-${index}`),
      headers: [["h", Buffer.from("1")]],
      timestampMs: 1_700_000_000_000 + index,
    });
  }
  return writer.finish() as Buffer;
}

function walk(cursor: RecordCursor): {
  readonly deltas: readonly number[];
  readonly error: unknown;
} {
  const deltas: number[] = [];
  try {
    while (cursor.next()) deltas.push(cursor.offsetDelta);
  } catch (error) {
    return { deltas, error };
  }
  return { deltas, error: undefined };
}

describe("RecordCursor", () => {
  test("stands at each record once and then says that there is no more, however often it is asked", () => {
    const cursor = new RecordCursor(readRecordBatch(write(3), 0, SOURCE));
    expect(walk(cursor)).toEqual({ deltas: [0, 1, 2], error: undefined });
    expect([cursor.next(), cursor.next()]).toEqual([false, false]);
  });

  test("gives positions of key and value inside the bytes of the batch", () => {
    const batch = readRecordBatch(Buffer.concat([Buffer.alloc(9), write(2)]), 9, SOURCE);
    const cursor = new RecordCursor(batch);
    cursor.next();
    cursor.next();
    const { keyStart, keyLength, valueStart, valueLength } = cursor;
    expect(batch.bytes.toString("utf8", keyStart, keyStart + keyLength)).toBe("key-1");
    expect(batch.bytes.toString("utf8", valueStart, valueStart + valueLength)).toBe("value-1");
  });

  test("counts the whole size of the records, which is what the batch holds beside its header", () => {
    const bytes = write(50);
    const cursor = new RecordCursor(readRecordBatch(bytes, 0, SOURCE));
    let total = 0;
    // The length in front of each of these short records takes one byte.
    while (cursor.next()) total += 1 + cursor.sizeBytes;
    expect(total).toBe(bytes.length - 61);
  });

  test("begins with the record that was asked for", () => {
    const bytes = write(5);
    bytes.writeBigInt64BE(100n, 0);
    const batch = readRecordBatch(bytes, 0, SOURCE);
    expect(lazyRecords(batch, 103).map(({ offset }) => offset)).toEqual([103n, 104n]);
    expect(lazyRecords(batch, 105)).toEqual([]);
    expect(lazyRecords(batch, 0)).toHaveLength(5);
  });

  test("walks a batch that compaction emptied", () => {
    const bytes = write(1).subarray(0, 61);
    bytes.writeInt32BE(61 - 12, 8);
    bytes.writeInt32BE(0, 57);
    expect(walk(new RecordCursor(readRecordBatch(bytes, 0, SOURCE)))).toEqual({
      deltas: [],
      error: undefined,
    });
  });

  test("walks a batch of 50 MB", () => {
    const writer = new RecordBatchWriter();
    const value = Buffer.alloc(1_000_000, "x");
    for (let index = 0; index < 50; index += 1) {
      writer.append({ key: null, value, headers: [], timestampMs: 1 });
    }
    const records = lazyRecords(readRecordBatch(writer.finish() as Buffer, 0, SOURCE));
    expect(records).toHaveLength(50);
    expect(records.every((record) => record.value?.equals(value) ?? false)).toBe(true);
  });

  test("gives the records before a corrupt one and then names the batch", () => {
    const bytes = write(3);
    bytes.writeBigInt64BE(40n, 0);
    const cursor = new RecordCursor(readRecordBatch(bytes, 0, SOURCE));
    cursor.next();
    bytes[cursor.recordEnd] = 0xff; // Length of the second record.
    const { deltas, error } = walk(cursor);
    expect(deltas).toEqual([]);
    expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
    expect(String(error)).toContain("record batch at offset 40 of flights[3]");
    expect(String(error)).toContain("after offset 40");
  });

  test.each([
    ["a record that is larger than the batch", 61, 0x7e],
    ["a record of a negative size", 61, 0x01],
    ["a key that is larger than its record", 65, 0x7e],
    ["a key of a negative length", 65, 0x03],
    ["an offset before that of the record before", 64, 0x01],
  ])("refuses %s", (_name, at, byte) => {
    const bytes = write(1);
    bytes[at] = byte;
    const { deltas, error } = walk(new RecordCursor(readRecordBatch(bytes, 0, SOURCE)));
    expect(deltas).toEqual([]);
    expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
  });

  test("refuses two records with the same offset", () => {
    const bytes = write(2);
    const cursor = new RecordCursor(readRecordBatch(bytes, 0, SOURCE));
    cursor.next();
    bytes[cursor.recordEnd + 3] = 0; // Offset delta of the second record.
    expect(String(walk(cursor).error)).toContain("cannot be read");
  });

  test.each([1, 3])(
    "refuses a batch that declares fewer records than it holds (%i of 4)",
    (count) => {
      const bytes = write(4);
      bytes.writeInt32BE(count, 57);
      const { deltas, error } = walk(new RecordCursor(readRecordBatch(bytes, 0, SOURCE)));
      expect(deltas).toHaveLength(count);
      expect(String(error)).toMatch(/\d+ bytes follow its last record/);
    },
  );

  test("refuses a batch that declares more records than it holds", () => {
    const bytes = write(2);
    bytes.writeInt32BE(5, 23);
    bytes.writeInt32BE(3, 57);
    const { deltas, error } = walk(new RecordCursor(readRecordBatch(bytes, 0, SOURCE)));
    expect(deltas).toEqual([0, 1]);
    expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
  });

  test("reads overwritten bytes as other records or as corrupt, and never beyond its batch", () => {
    fc.assert(
      fc.property(writableRecords, fc.nat(), fc.nat({ max: 255 }), (records, place, byte) => {
        const writer = new RecordBatchWriter(64);
        for (const record of records) writer.append(record);
        const batch = writer.finish() as Buffer;
        batch[61 + (place % (batch.length - 61))] = byte;
        const bytes = Buffer.concat([batch, Buffer.alloc(9000)]);
        const cursor = new RecordCursor(readRecordBatch(bytes, 0, SOURCE));
        let error: unknown;
        try {
          while (cursor.next()) expect(cursor.recordEnd).toBeLessThanOrEqual(batch.length);
        } catch (thrown) {
          error = thrown;
        }
        expect(error === undefined || BusError.is(error, "BUS_CORRUPT")).toBe(true);
      }),
    );
  });
});
