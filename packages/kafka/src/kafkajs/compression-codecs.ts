import { createRequire } from "node:module";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { BusConfigError } from "@bus/core";
import kafkajs from "kafkajs";

/** Names of compressions as users write them, and their numbers in the attributes of a record batch. */
export const COMPRESSIONS: Readonly<Record<CompressionName, number>> = Object.freeze({
  none: 0,
  gzip: 1,
  snappy: 2,
  lz4: 3,
  zstd: 4,
});

/** Name of a compression. */
export type CompressionName = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** Compresses and decompresses the records of a batch; small ones at once, large ones on zlib's thread pool. */
export interface RecordCodec {
  /** @param level - The codec's own level; its default when absent. Codecs of kafkajs' registry have none. */
  compress(records: Buffer, level?: number): Buffer | Promise<Buffer>;
  decompress(compressed: Buffer): Buffer | Promise<Buffer>;
}

/**
 * Up to here a call on this thread (at most 0.1 ms) costs less of this thread's time than a round trip through the
 * thread pool (0.1 ms).
 */
const SYNCHRONOUS_BYTES = 16 * 1024;

const GZIP = zlibCodec({
  compressNow: zlib.gzipSync,
  compress: promisify(zlib.gzip),
  decompressNow: zlib.gunzipSync,
  decompress: promisify(zlib.gunzip),
  levelOptions: (level) => ({ level }),
});

/** Absent before Node 22.15. */
const ZSTD = typeof zlib.zstdCompress === "function" ? zstdCodec() : undefined;

/**
 * Add to kafkajs' registry what it lacks and what can be had here, so that the client's own decoder knows it as well:
 * zstd of `node:zlib`, `kafkajs-snappy` and `kafkajs-lz4` when installed. What the application registered stays.
 * Idempotent.
 */
export function registerCodecs(): void {
  const registry = codecRegistry();
  if (ZSTD !== undefined && isAbsent(COMPRESSIONS.zstd))
    registry[COMPRESSIONS.zstd] = forKafkajs(ZSTD);
  if (isAbsent(COMPRESSIONS.snappy)) registerPackage(COMPRESSIONS.snappy, "kafkajs-snappy");
  if (isAbsent(COMPRESSIONS.lz4)) registerPackage(COMPRESSIONS.lz4, "kafkajs-lz4");
}

/**
 * The codec for a compression number.
 *
 * gzip and zstd are done by `node:zlib`, everything else by what kafkajs' registry (`CompressionCodecs`) holds.
 *
 * @throws BusConfigError `BUS_UNSUPPORTED`, naming what to install, when there is none.
 */
export function findCodec(compression: number): RecordCodec {
  if (compression === COMPRESSIONS.gzip) return GZIP;
  if (compression === COMPRESSIONS.zstd && ZSTD !== undefined) return ZSTD;
  const name = compressionName(compression);
  try {
    const factory = codecRegistry()[compression];
    if (factory !== undefined) return fromKafkajs(factory());
  } catch (error) {
    throw new BusConfigError(
      "BUS_UNSUPPORTED",
      `compression ${name} is not available: ${remedy(name)}`,
      { details: { compression: name }, cause: error },
    );
  }
  throw new BusConfigError("BUS_UNSUPPORTED", `compression ${name} is not known`, {
    details: { compression: name },
  });
}

/** The compressions that can be used here, `none` included. */
export function availableCompressions(): CompressionName[] {
  const names: CompressionName[] = ["none", "gzip", "snappy", "lz4", "zstd"];
  return names.filter(
    (name) => name === "none" || name === "gzip" || !isAbsent(COMPRESSIONS[name]),
  );
}

/** A codec as kafkajs' registry holds it; the one argument of `compress` is its encoder. */
interface KafkajsCodec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Uint8Array>;
  decompress(compressed: Buffer): Promise<Uint8Array>;
}

/** kafkajs' types know the keys as an enumeration that does not exist at run time. */
function codecRegistry(): Record<number, (() => KafkajsCodec) | undefined> {
  return kafkajs.CompressionCodecs;
}

function isAbsent(compression: number): boolean {
  try {
    return codecRegistry()[compression]?.() === undefined;
  } catch {
    // kafkajs' own entry for a codec that nobody registered throws, and so does a package that cannot be loaded.
    return true;
  }
}

/** Both packages are CommonJS; the first exports a factory, the second a class whose `codec` is one. */
function registerPackage(compression: number, name: "kafkajs-snappy" | "kafkajs-lz4"): void {
  const require = createRequire(import.meta.url);
  try {
    require.resolve(name);
  } catch {
    return; // Not installed, which is what optional means; `findCodec` tells when it is needed.
  }
  codecRegistry()[compression] = () => {
    const loaded = require(name);
    return name === "kafkajs-snappy" ? loaded() : new loaded().codec();
  };
}

function fromKafkajs(codec: KafkajsCodec): RecordCodec {
  return {
    compress: async (records) => asBuffer(await codec.compress({ buffer: records })),
    decompress: async (compressed) => asBuffer(await codec.decompress(compressed)),
  };
}

function forKafkajs(codec: RecordCodec): () => KafkajsCodec {
  return () => ({
    compress: async (encoder) => await codec.compress(encoder.buffer),
    decompress: async (compressed) => await codec.decompress(compressed),
  });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function compressionName(compression: number): string {
  return (
    Object.entries(COMPRESSIONS).find(([, number]) => number === compression)?.[0] ??
    String(compression)
  );
}

function remedy(name: string): string {
  if (name === "zstd")
    return "use Node 22.15 or later, or register a codec in kafkajs' CompressionCodecs";
  return `install kafkajs-${name}, or register a codec in kafkajs' CompressionCodecs`;
}

interface ZlibFunctions<TOptions> {
  readonly compressNow: (records: Buffer, options: TOptions) => Buffer;
  readonly compress: (records: Buffer, options: TOptions) => Promise<Buffer>;
  readonly decompressNow: (compressed: Buffer, options: { readonly chunkSize: number }) => Buffer;
  readonly decompress: (
    compressed: Buffer,
    options: { readonly chunkSize: number },
  ) => Promise<Buffer>;
  readonly levelOptions: (level: number) => TOptions;
}

function zlibCodec<TOptions extends object>(
  functions: ZlibFunctions<TOptions | object>,
): RecordCodec {
  return {
    compress: (records, level) => {
      const options = level === undefined ? {} : functions.levelOptions(level);
      return records.length <= SYNCHRONOUS_BYTES
        ? functions.compressNow(records, options)
        : functions.compress(records, options);
    },
    decompress: (compressed) => {
      // One piece of output in place of many of 16 KiB halves the time of a large batch; fourfold growth is usual.
      const chunkSize = Math.min(Math.max(4 * compressed.length, 1024), 1024 * 1024);
      if (compressed.length <= SYNCHRONOUS_BYTES)
        return functions.decompressNow(compressed, { chunkSize });
      return functions.decompress(compressed, { chunkSize });
    },
  };
}

function zstdCodec(): RecordCodec {
  return zlibCodec({
    compressNow: zlib.zstdCompressSync,
    compress: promisify(zlib.zstdCompress),
    decompressNow: zlib.zstdDecompressSync,
    decompress: promisify(zlib.zstdDecompress),
    levelOptions: (level) => ({ params: { [zlib.constants.ZSTD_c_compressionLevel]: level } }),
  });
}
