import { describe, expect, test, beforeAll } from "vitest";
import {
  batchBytes,
  decodeOne,
  decodePartitions,
  offsets,
  spoilt,
  TOPIC,
} from "../../test/decoded-response.ts";
import { registerCodecs } from "./compression-codecs.ts";

beforeAll(registerCodecs);

describe("decodeRecords of bytes that cannot be read", () => {
  test("ends before a corrupt batch, so that what comes before it is delivered first", async () => {
    const bytes = Buffer.concat([
      await batchBytes({ baseOffset: 0 }),
      spoilt(await batchBytes({ baseOffset: 2 }), 16),
    ]);
    expect(offsets(await decodeOne(bytes))).toEqual([0, 1]);
  });

  test.each([
    ["its format", 16],
    ["the sign of its length", 8],
    ["the sign of its base offset", 0],
  ])("tells of a corrupt batch at the position that was asked for (%s)", async (_name, at) => {
    const bytes = Buffer.concat([
      spoilt(await batchBytes({ baseOffset: 2 }), at),
      await batchBytes({ baseOffset: 4 }),
    ]);
    const elements = await decodeOne(bytes, { fetchOffset: () => 2, verifyChecksums: false });
    expect(elements).toMatchObject([
      { kind: "unreadable", offset: "2", isControlRecord: false, error: { code: "BUS_CORRUPT" } },
    ]);
    expect(String(elements[0]?.kind === "unreadable" && elements[0].error)).toContain("flights[0]");
  });

  test("does not let one partition's corrupt bytes touch another partition", async () => {
    const [corrupt, sound] = await decodePartitions([
      { partition: 0, records: spoilt(await batchBytes({ baseOffset: 0 }), 16) },
      { partition: 1, records: await batchBytes({ baseOffset: 0 }) },
    ]);
    expect(corrupt).toMatchObject([{ kind: "unreadable" }]);
    expect(offsets(sound ?? [])).toEqual([0, 1]);
  });

  test("compares checksums when asked, and only then", async () => {
    const bytes = spoilt(await batchBytes({ baseOffset: 0 }), 70);
    expect(await decodeOne(bytes, { verifyChecksums: true })).toMatchObject([
      {
        kind: "unreadable",
        error: { code: "BUS_CORRUPT", details: { topic: TOPIC, partition: 0, offset: 0n } },
      },
    ]);
    expect(offsets(await decodeOne(bytes, { verifyChecksums: false }))).toEqual([0, 1]);
  });

  test.each([
    ["at once", 10],
    ["on another thread", 20_000],
  ])(
    "tells of records that cannot be decompressed %s, after the batches before them",
    async (_name, valueBytes) => {
      const sound = await batchBytes({ baseOffset: 0, compression: "gzip" });
      const compressed = await batchBytes({ baseOffset: 2, compression: "gzip", valueBytes });
      compressed.fill(0x55, 80, compressed.length - 10);
      const overrides = { verifyChecksums: false };
      expect(offsets(await decodeOne(Buffer.concat([sound, compressed]), overrides))).toEqual([
        0, 1,
      ]);
      const elements = await decodeOne(Buffer.concat([compressed, sound]), {
        ...overrides,
        fetchOffset: () => 2,
      });
      expect(elements).toMatchObject([
        { kind: "unreadable", offset: "2", error: { code: "BUS_CORRUPT" } },
      ]);
      expect(elements).toHaveLength(1);
    },
  );

  test("names the codec that is missing and what to install", async () => {
    const bytes = await batchBytes({ baseOffset: 0 });
    bytes.writeInt16BE(3, 21);
    const elements = await decodeOne(bytes, { verifyChecksums: false });
    expect(elements).toMatchObject([
      { kind: "unreadable", offset: "0", error: { code: "BUS_UNSUPPORTED" } },
    ]);
    expect(String(elements[0]?.kind === "unreadable" && elements[0].error)).toContain(
      "kafkajs-lz4",
    );
  });

  test("never throws and never skips, whatever byte that a checksum covers is overwritten", async () => {
    const batches = [
      await batchBytes({ baseOffset: 0 }),
      await batchBytes({ baseOffset: 2, compression: "gzip" }),
      await batchBytes({ baseOffset: 4 }),
    ];
    for (const [index, batch] of batches.entries()) {
      // Before lie the fields that a broker may write: base offset, length, leader epoch.
      for (let at = 16; at < batch.length; at += 1) {
        const bytes = Buffer.concat(batches.with(index, spoilt(batch, at)));
        const elements = await decodeOne(bytes);
        const readable = elements.filter(({ kind }) => kind === "batch");
        expect(offsets(readable)).toEqual([0, 1, 2, 3].slice(0, 2 * index));
        expect(elements.length - readable.length).toBe(index === 0 ? 1 : 0);
      }
    }
  });
});
