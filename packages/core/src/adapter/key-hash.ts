const MURMUR2_SEED = 0x9747b28c;
const MURMUR2_FACTOR = 0x5bd1e995;
const FNV_OFFSET_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const TO_POSITIVE = 0x7fffffff;

/**
 * The hash with which Kafka's Java client and kafkajs choose the partition of a key.
 *
 * @returns A signed 32-bit integer.
 *
 * Source: `org.apache.kafka.common.utils.Utils.murmur2`.
 */
export function murmur2(key: Uint8Array): number {
  const length = key.length;
  const wholeWords = length & ~3;
  let hash = MURMUR2_SEED ^ length;
  for (let i = 0; i < wholeWords; i += 4) {
    let word =
      byteAt(key, i) |
      (byteAt(key, i + 1) << 8) |
      (byteAt(key, i + 2) << 16) |
      (byteAt(key, i + 3) << 24);
    word = Math.imul(word, MURMUR2_FACTOR);
    word ^= word >>> 24;
    hash = Math.imul(hash, MURMUR2_FACTOR) ^ Math.imul(word, MURMUR2_FACTOR);
  }
  if (wholeWords < length) {
    for (let i = length - 1; i >= wholeWords; i -= 1)
      hash ^= byteAt(key, i) << (8 * (i - wholeWords));
    hash = Math.imul(hash, MURMUR2_FACTOR);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MURMUR2_FACTOR);
  return hash ^ (hash >>> 15);
}

/**
 * The partition that Kafka's Java client and kafkajs choose for a key: `toPositive(murmur2(key)) mod partitions`.
 * An empty key is hashed like any other; a message without a key has no partition by hash.
 *
 * @param partitions - Number of partitions, at least 1.
 */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & TO_POSITIVE) % partitions;
}

/**
 * The FNV-1a hash, 32 bits.
 *
 * @returns A signed 32-bit integer.
 */
export function fnv1a(key: Uint8Array): number {
  let hash = FNV_OFFSET_BASIS | 0;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ byteAt(key, i), FNV_PRIME);
  return hash;
}

/**
 * The partition that Sarama's default hash partitioner (`NewHashPartitioner`) chooses for a key: the remainder of the
 * signed FNV-1a hash, made positive.
 *
 * @param partitions - Number of partitions, at least 1.
 */
export function fnv1aPartitionOf(key: Uint8Array, partitions: number): number {
  return Math.abs(fnv1a(key) % partitions);
}

function byteAt(key: Uint8Array, index: number): number {
  return key[index] ?? 0;
}
