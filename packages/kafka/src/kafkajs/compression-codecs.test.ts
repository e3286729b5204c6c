import { createRequire } from "node:module";
import zlib from "node:zlib";
import kafkajs from "kafkajs";
import { afterEach, describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import {
  availableCompressions,
  COMPRESSIONS,
  findCodec,
  registerCodecs,
} from "./compression-codecs.ts";

/** kafkajs' types know the registry's keys only by an enumeration that does not exist at run time. */
const registry = kafkajs.CompressionCodecs as Record<number, () => unknown>;
const untouched = { ...registry };

afterEach(() => {
  Object.assign(registry, untouched);
});

const SMALL = Buffer.from("a small value, a small value, a small value");
/** Pseudo-random text: compresses to about three quarters, well above what is done at once. */
const LARGE = Buffer.from(
  Array.from(
    { length: 100_000 },
    (_, index) => 32 + (((Math.imul(index, 1_103_515_245) ^ Math.imul(index, index)) >>> 16) % 64),
  ),
);

function errorOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe("findCodec", () => {
  test.each(["gzip", "zstd"] as const)(
    "reads back what it wrote with %s, small and large",
    async (name) => {
      const codec = findCodec(COMPRESSIONS[name]);
      for (const records of [SMALL, LARGE, Buffer.alloc(0)]) {
        expect(await codec.decompress(await codec.compress(records))).toEqual(records);
      }
    },
  );

  test("reads what zlib wrote, and zlib reads what it wrote", async () => {
    expect(await findCodec(1).decompress(zlib.gzipSync(LARGE))).toEqual(LARGE);
    expect(zlib.gunzipSync(await findCodec(1).compress(LARGE))).toEqual(LARGE);
    expect(await findCodec(4).decompress(zlib.zstdCompressSync(LARGE))).toEqual(LARGE);
    expect(zlib.zstdDecompressSync(await findCodec(4).compress(LARGE))).toEqual(LARGE);
  });

  test("works on small batches at once and on large ones on another thread", async () => {
    const codec = findCodec(COMPRESSIONS.gzip);
    expect(codec.decompress(zlib.gzipSync(SMALL))).toBeInstanceOf(Buffer);
    const pending = codec.decompress(zlib.gzipSync(LARGE));
    expect(pending).toBeInstanceOf(Promise);
    await pending;
  });

  test("decompresses far more than the size it reckons with", async () => {
    const records = Buffer.alloc(20_000_000, "x");
    const read = await findCodec(1).decompress(zlib.gzipSync(records));
    expect(read.equals(records)).toBe(true);
  });

  test("uses what the application registered for codecs that node:zlib does not have", async () => {
    const lz4 = createRequire(import.meta.url)("lz4js") as {
      compress(bytes: Buffer): Uint8Array;
      decompress(bytes: Buffer): Uint8Array;
    };
    registry[COMPRESSIONS.lz4] = () => ({
      compress: async (encoder: { readonly buffer: Buffer }) => lz4.compress(encoder.buffer),
      decompress: async (bytes: Buffer) => lz4.decompress(bytes),
    });
    const codec = findCodec(COMPRESSIONS.lz4);
    const read = await codec.decompress(await codec.compress(LARGE));
    expect(Buffer.isBuffer(read)).toBe(true);
    expect(read).toEqual(LARGE);
  });

  test.each(["snappy", "lz4"] as const)(
    "names the package to install when there is no codec for %s",
    (name) => {
      const error = errorOf(() => findCodec(COMPRESSIONS[name]));
      expect(BusError.is(error, "BUS_UNSUPPORTED")).toBe(true);
      expect(String(error)).toContain(
        `compression ${name} is not available: install kafkajs-${name}`,
      );
    },
  );

  test("refuses numbers that Kafka has not given to a codec", () => {
    const error = errorOf(() => findCodec(5));
    expect(BusError.is(error, "BUS_UNSUPPORTED")).toBe(true);
    expect(String(error)).toContain("compression 5 is not known");
  });
});

describe("registerCodecs", () => {
  test("gives zstd and an installed snappy to the client's own decoder", async () => {
    expect(availableCompressions()).toEqual(["none", "gzip"]);
    registerCodecs();
    expect(availableCompressions()).toEqual(["none", "gzip", "snappy", "zstd"]);
    for (const name of ["zstd", "snappy"] as const) {
      const codec = registry[COMPRESSIONS[name]]?.() as {
        compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
        decompress(bytes: Buffer): Promise<Buffer>;
      };
      const compressed = Buffer.from(await codec.compress({ buffer: LARGE }));
      expect(Buffer.from(await codec.decompress(compressed))).toEqual(LARGE);
    }
  });

  test("leaves what the application registered, however often it is called", () => {
    const own = (): object => ({});
    registry[COMPRESSIONS.zstd] = own;
    registerCodecs();
    const snappy = registry[COMPRESSIONS.snappy];
    registerCodecs();
    expect(registry[COMPRESSIONS.zstd]).toBe(own);
    expect(registry[COMPRESSIONS.snappy]).toBe(snappy);
  });
});
