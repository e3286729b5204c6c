import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fnv1a, fnv1aPartitionOf, murmur2, partitionOf } from "./key-hash.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Partitions are those of topics with 7, 16 and 100 partitions. */
interface Vector {
  readonly key: Uint8Array;
  readonly murmur2: number;
  readonly java: readonly number[];
  readonly fnv1a: number;
  readonly sarama: readonly number[];
}

const PARTITION_COUNTS = [7, 16, 100];

// Written by org.apache.kafka:kafka-clients 4.1.1 (Utils.murmur2, BuiltInPartitioner.partitionForKey) and by
// github.com/IBM/sarama 1.45.1 (NewHashPartitioner).
const VECTORS: readonly Vector[] = [
  { key: utf8(""), murmur2: 275646681, java: [2, 9, 81], fnv1a: -2128831035, sarama: [2, 11, 35] },
  {
    key: utf8("a"),
    murmur2: -1563381124,
    java: [5, 12, 24],
    fnv1a: -468965076,
    sarama: [6, 4, 76],
  },
  {
    key: utf8("ab"),
    murmur2: 316155434,
    java: [0, 10, 34],
    fnv1a: 1294271946,
    sarama: [2, 10, 46],
  },
  { key: utf8("abc"), murmur2: 479470107, java: [4, 11, 7], fnv1a: 440920331, sarama: [5, 11, 31] },
  {
    key: utf8("abcd"),
    murmur2: -1323649548,
    java: [5, 4, 0],
    fnv1a: -835421763,
    sarama: [1, 3, 63],
  },
  {
    key: utf8("abcde"),
    murmur2: 461995741,
    java: [4, 13, 41],
    fnv1a: 1956368136,
    sarama: [2, 8, 36],
  },
  {
    key: utf8("21"),
    murmur2: -973932308,
    java: [3, 12, 40],
    fnv1a: -1930258452,
    sarama: [3, 4, 52],
  },
  {
    key: utf8("foobar"),
    murmur2: -790332482,
    java: [0, 14, 66],
    fnv1a: -1080231576,
    sarama: [4, 8, 76],
  },
  {
    key: utf8("a-little-bit-long-string"),
    murmur2: -985981536,
    java: [1, 0, 12],
    fnv1a: -576518104,
    sarama: [1, 8, 4],
  },
  {
    key: utf8("a-little-bit-longer-string"),
    murmur2: -1486304829,
    java: [0, 3, 19],
    fnv1a: 780662313,
    sarama: [4, 9, 13],
  },
  {
    key: utf8("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"),
    murmur2: -58897971,
    java: [3, 13, 77],
    fnv1a: 389149966,
    sarama: [2, 14, 66],
  },
  {
    key: utf8("order-1"),
    murmur2: 1221710326,
    java: [4, 6, 26],
    fnv1a: 729795949,
    sarama: [1, 13, 49],
  },
  {
    key: utf8("order-42"),
    murmur2: 501153024,
    java: [1, 0, 24],
    fnv1a: 1461995252,
    sarama: [4, 4, 52],
  },
  {
    key: utf8("DFW"),
    murmur2: -1036878679,
    java: [5, 9, 69],
    fnv1a: 722243656,
    sarama: [1, 8, 56],
  },
  { key: utf8("é"), murmur2: 186971271, java: [4, 7, 71], fnv1a: 513665217, sarama: [2, 1, 17] },
  {
    key: utf8("Zürich"),
    murmur2: -1551140815,
    java: [2, 1, 33],
    fnv1a: -687833312,
    sarama: [5, 0, 12],
  },
  {
    key: utf8("ключ"),
    murmur2: 2122343024,
    java: [4, 0, 24],
    fnv1a: -1782257183,
    sarama: [0, 15, 83],
  },
  {
    key: utf8("注文"),
    murmur2: -491775137,
    java: [2, 15, 11],
    fnv1a: 1499933099,
    sarama: [0, 11, 99],
  },
  {
    key: utf8("🙂"),
    murmur2: 925250799,
    java: [4, 15, 99],
    fnv1a: 1470331467,
    sarama: [3, 11, 67],
  },
  { key: utf8("0"), murmur2: 971027396, java: [3, 4, 96], fnv1a: 890022063, sarama: [0, 15, 63] },
  { key: utf8("-1"), murmur2: 1531782027, java: [6, 11, 27], fnv1a: 348981803, sarama: [2, 11, 3] },
  {
    key: utf8("00000000-0000-0000-0000-000000000000"),
    murmur2: 713427837,
    java: [3, 13, 37],
    fnv1a: -1102606639,
    sarama: [1, 15, 39],
  },
  {
    key: Uint8Array.of(0),
    murmur2: 375494588,
    java: [0, 12, 88],
    fnv1a: 84696351,
    sarama: [5, 15, 51],
  },
  {
    key: Uint8Array.of(0, 0, 0, 0),
    murmur2: 850957120,
    java: [6, 0, 20],
    fnv1a: 1268118805,
    sarama: [2, 5, 5],
  },
  {
    key: Uint8Array.of(255),
    murmur2: -311467685,
    java: [5, 11, 63],
    fnv1a: 2047574606,
    sarama: [0, 14, 6],
  },
  {
    key: Uint8Array.of(255, 254, 253),
    murmur2: 998637092,
    java: [5, 4, 92],
    fnv1a: -1922968041,
    sarama: [1, 9, 41],
  },
  {
    key: Uint8Array.of(128, 127, 0, 255, 1),
    murmur2: 2104479348,
    java: [6, 4, 48],
    fnv1a: 1892329252,
    sarama: [2, 4, 52],
  },
  {
    key: new Uint8Array(1000).fill(120),
    murmur2: -1068453602,
    java: [3, 14, 46],
    fnv1a: 131170661,
    sarama: [6, 5, 61],
  },
  {
    key: Uint8Array.from({ length: 256 }, (_, i) => i),
    murmur2: -1948347274,
    java: [3, 6, 74],
    fnv1a: -1868277563,
    sarama: [5, 11, 63],
  },
  {
    key: Uint8Array.from({ length: 4099 }, (_, i) => (i * 31 + 7) & 255),
    murmur2: -1107239322,
    java: [2, 6, 26],
    fnv1a: -400452257,
    sarama: [2, 1, 57],
  },
];

const word32 = (value: bigint): bigint => BigInt.asUintN(32, value);

/** Murmur2 once more, in plain unsigned arithmetic without any 32-bit trick. */
function referenceMurmur2(key: Uint8Array): number {
  const factor = 0x5bd1e995n;
  const bytes = [...key].map(BigInt);
  let hash = 0x9747b28cn ^ BigInt(key.length);
  const words = Math.floor(key.length / 4);
  for (let i = 0; i < words; i += 1) {
    const word = bytes.slice(i * 4, i * 4 + 4).reduceRight((sum, byte) => sum * 256n + byte, 0n);
    const mixed = word32(word * factor);
    hash = word32(hash * factor) ^ word32((mixed ^ (mixed >> 24n)) * factor);
  }
  const rest = bytes.slice(words * 4);
  if (rest.length > 0)
    hash = word32((hash ^ rest.reduceRight((sum, byte) => sum * 256n + byte, 0n)) * factor);
  hash = word32((hash ^ (hash >> 13n)) * factor);
  return Number(BigInt.asIntN(32, hash ^ (hash >> 15n)));
}

describe("murmur2", () => {
  test.each(VECTORS)(
    "hashes vector %# as Kafka's Java client does",
    ({ key, murmur2: expected, java }) => {
      expect(murmur2(key)).toBe(expected);
      expect(PARTITION_COUNTS.map((partitions) => partitionOf(key, partitions))).toEqual(java);
    },
  );

  test("agrees with plain arithmetic on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 67 }), (key) => {
        expect(murmur2(key)).toBe(referenceMurmur2(key));
      }),
      { numRuns: 2000 },
    );
  });

  test("hashes the bytes of a view, not those of the buffer behind it", () => {
    const buffer = utf8("xxorder-42yy");
    expect(murmur2(buffer.subarray(2, 10))).toBe(murmur2(utf8("order-42")));
  });
});

describe("fnv1a", () => {
  test.each(VECTORS)("hashes vector %# as Sarama does", ({ key, fnv1a: expected, sarama }) => {
    expect(fnv1a(key)).toBe(expected);
    expect(PARTITION_COUNTS.map((partitions) => fnv1aPartitionOf(key, partitions))).toEqual(sarama);
  });
});

describe("a partition by hash", () => {
  test("exists in the topic, whatever the key", () => {
    const anyKeyAndCount = [
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 1, max: 5000 }),
    ] as const;
    fc.assert(
      fc.property(...anyKeyAndCount, (key, partitions) => {
        for (const partition of [partitionOf(key, partitions), fnv1aPartitionOf(key, partitions)]) {
          expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(
            true,
          );
        }
      }),
    );
  });

  test("spreads many keys evenly: no partition of 16 gets more than 1.3 times its part of 16,000", () => {
    const counts = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 16_000; i += 1) {
      const partition = partitionOf(utf8(`order-${i}`), 16);
      counts[partition] = (counts[partition] ?? 0) + 1;
    }
    expect(Math.max(...counts)).toBeLessThan(1300);
    expect(Math.min(...counts)).toBeGreaterThan(700);
  });
});
