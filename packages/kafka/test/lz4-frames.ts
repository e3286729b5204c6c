import { createRequire } from "node:module";
import kafkajs from "kafkajs";

/** What lz4js has and does not declare. */
interface Lz4 {
  makeBuffer(size: number): Uint8Array;
  compressBound(size: number): number;
  /** @returns Bytes written; 0 when the block cannot be made smaller. */
  compressBlock(
    from: Uint8Array,
    to: Uint8Array,
    ...range: readonly [start: number, length: number, table: Uint32Array]
  ): number;
  decompress(bytes: Uint8Array): Uint8Array;
}

interface XxHash {
  hash(seed: number, ...range: readonly [bytes: Uint8Array, start: number, length: number]): number;
}

const MAGIC = 0x184d2204;
/** Version 1 with independent blocks, which are the only ones that Kafka reads. */
const FLAGS = 0x60;
/** Blocks of 64 KiB. */
const BLOCK_DESCRIPTOR = 0x40;
const BLOCK_BYTES = 65_536;
const UNCOMPRESSED = 0x8000_0000;

/** Bring lz4 to kafkajs' registry, as an application does: frames with independent blocks around lz4js. */
export function registerLz4(): void {
  const require = createRequire(import.meta.url);
  const lz4 = require("lz4js") as Lz4;
  const xxHash = require("lz4js/xxh32.js") as XxHash;
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.LZ4] = () => ({
    compress: (encoder: { readonly buffer: Buffer }) =>
      Promise.resolve(compress(encoder.buffer, lz4, xxHash)),
    decompress: (bytes: Buffer) => Promise.resolve(Buffer.from(lz4.decompress(bytes))),
  });
}

function compress(bytes: Buffer, lz4: Lz4, xxHash: XxHash): Buffer {
  const header = Buffer.alloc(7);
  header.writeUInt32LE(MAGIC, 0);
  header[4] = FLAGS;
  header[5] = BLOCK_DESCRIPTOR;
  header[6] = (xxHash.hash(0, header, 4, 2) >>> 8) & 0xff;
  const pieces: Buffer[] = [header];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    pieces.push(...block(bytes.subarray(at, at + BLOCK_BYTES), lz4));
  }
  pieces.push(Buffer.alloc(4));
  return Buffer.concat(pieces);
}

function block(bytes: Buffer, lz4: Lz4): readonly Buffer[] {
  const target = lz4.makeBuffer(lz4.compressBound(bytes.length));
  const size = lz4.compressBlock(bytes, target, 0, bytes.length, new Uint32Array(1 << 16));
  const length = Buffer.alloc(4);
  const isSmaller = size > 0 && size < bytes.length;
  length.writeUInt32LE(isSmaller ? size : bytes.length + UNCOMPRESSED, 0);
  return [length, isSmaller ? Buffer.from(target.subarray(0, size)) : bytes];
}
