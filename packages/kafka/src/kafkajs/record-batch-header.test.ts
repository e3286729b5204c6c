import { describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { encodeReferenceBatch } from "../../test/kafkajs-reference.ts";
import {
  parseRecordBatchHeader,
  recordBatchSize,
  recordFormat,
  verifyChecksum,
} from "./record-batch-header.ts";

const SOURCE = { topic: "flights", partition: 3 };
const RECORD = {
  offsetDelta: 0,
  timestampDelta: 0,
  key: null,
  value: Buffer.from("v"),
  headers: {},
};

async function batch(): Promise<Buffer> {
  return await encodeReferenceBatch({
    firstOffset: 2 ** 40,
    firstTimestamp: 1_700_000_000_000,
    maxTimestamp: 1_700_000_000_500,
    producerId: 2 ** 35 + 1,
    producerEpoch: 7,
    firstSequence: 11,
    transactional: true,
    lastOffsetDelta: 4,
    records: [RECORD, { ...RECORD, offsetDelta: 4 }],
  });
}

function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("parseRecordBatchHeader", () => {
  test("reads every field that the client's encoder writes", async () => {
    const bytes = await batch();
    expect(parseRecordBatchHeader(bytes, 0, SOURCE)).toEqual({
      baseOffset: 2 ** 40,
      lastOffset: 2 ** 40 + 4,
      sizeBytes: bytes.length,
      partitionLeaderEpoch: 0,
      checksum: bytes.readUInt32BE(17),
      compression: 0,
      hasLogAppendTime: false,
      isTransactional: true,
      isControl: false,
      firstTimestampMs: 1_700_000_000_000,
      maxTimestampMs: 1_700_000_000_500,
      producerId: 2 ** 35 + 1,
      producerEpoch: 7,
      baseSequence: 11,
      recordCount: 2,
    });
  });

  test.each([
    ["hasLogAppendTime", 0x08],
    ["isTransactional", 0x10],
    ["isControl", 0x20],
  ] as const)("reads %s from its own bit of the attributes", async (flag, bit) => {
    const bytes = await batch();
    for (const attributes of [0, bit, 0x7fff & ~bit, 0x7fff]) {
      bytes.writeInt16BE(attributes, 21);
      expect(parseRecordBatchHeader(bytes, 0, SOURCE)[flag]).toBe((attributes & bit) !== 0);
    }
  });

  test("reads the fields of a producer that is not idempotent as -1", async () => {
    const bytes = await batch();
    bytes.writeBigInt64BE(-1n, 43);
    bytes.writeInt16BE(-1, 51);
    bytes.writeInt32BE(-1, 53);
    expect(parseRecordBatchHeader(bytes, 0, SOURCE)).toMatchObject({
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
    });
  });

  test.each([
    [
      "another format",
      (bytes: Buffer) => bytes.writeInt8(1, 16),
      "its format is 1, only format 2 is known",
    ],
    ["a negative base offset", (bytes: Buffer) => bytes.writeBigInt64BE(-5n, 0), "2^53 - 1"],
    [
      "an offset that a number cannot hold",
      (bytes: Buffer) => bytes.writeBigInt64BE(2n ** 53n, 0),
      "2^53 - 1",
    ],
    [
      "a last offset before the base offset",
      (bytes: Buffer) => bytes.writeInt32BE(-1, 23),
      "lies before its base offset",
    ],
    [
      "more records than offsets",
      (bytes: Buffer) => bytes.writeInt32BE(6, 57),
      "6 records for 5 offsets",
    ],
    ["a negative number of records", (bytes: Buffer) => bytes.writeInt32BE(-1, 57), "-1 records"],
  ])("refuses %s, naming topic, partition and base offset", async (_name, spoil, reason) => {
    const bytes = await batch();
    spoil(bytes);
    const error = errorOf(() => parseRecordBatchHeader(bytes, 0, SOURCE));
    expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
    const offset = bytes.readBigInt64BE(0);
    expect(error).toMatchObject({ details: { topic: "flights", partition: 3, offset } });
    expect(String(error)).toContain(
      `record batch at offset ${offset} of flights[3] cannot be read`,
    );
    expect(String(error)).toContain(reason);
  });
});

describe("recordBatchSize", () => {
  test("tells the size of a whole batch, wherever it starts", async () => {
    const bytes = await batch();
    const two = Buffer.concat([bytes, bytes]);
    expect(recordBatchSize(two, 0, SOURCE)).toBe(bytes.length);
    expect(recordBatchSize(two, bytes.length, SOURCE)).toBe(bytes.length);
  });

  test("has no size for a batch that the bytes do not hold entirely", async () => {
    const bytes = await batch();
    for (let length = 0; length < bytes.length; length += 1) {
      expect(recordBatchSize(bytes.subarray(0, length), 0, SOURCE)).toBeUndefined();
    }
  });

  test.each([48, 0, -1])("refuses a length field of %i, too small for a header", async (length) => {
    const bytes = await batch();
    bytes.writeInt32BE(length, 8);
    const error = errorOf(() => recordBatchSize(bytes, 0, SOURCE));
    expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
    expect(String(error)).toContain(`its length field is ${length}`);
  });
});

describe("recordFormat", () => {
  test("is unknown as long as the bytes end before it", async () => {
    const bytes = await batch();
    expect(recordFormat(bytes.subarray(0, 16), 0)).toBeUndefined();
    expect(recordFormat(bytes.subarray(0, 17), 0)).toBe(2);
  });
});

describe("verifyChecksum", () => {
  test("accepts what the client's encoder writes, also with an offset and epoch that the broker changed", async () => {
    const bytes = await batch();
    bytes.writeBigInt64BE(77n, 0);
    bytes.writeInt32BE(5, 12);
    expect(() => verifyChecksum(bytes, 0, SOURCE)).not.toThrow();
  });

  test("finds a flipped bit at every place that the checksum covers", async () => {
    const bytes = await batch();
    for (let at = 17; at < bytes.length; at += 1) {
      const spoilt = Buffer.from(bytes);
      spoilt[at] = (spoilt[at] ?? 0) ^ 0x10;
      expect(
        BusError.is(
          errorOf(() => verifyChecksum(spoilt, 0, SOURCE)),
          "BUS_CORRUPT",
        ),
      ).toBe(true);
    }
  });

  test("reads neither before nor after its batch", async () => {
    const bytes = await batch();
    const between = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([4, 5])]);
    expect(() => verifyChecksum(between, 3, SOURCE)).not.toThrow();
  });
});
