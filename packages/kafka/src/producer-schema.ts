import { z } from "zod";
import { KAFKA_DEFAULTS } from "./kafka-defaults.ts";
import type { Partitioner, ProducerOptions } from "./driver-options.ts";
import { flag, text, whole, word } from "./option-fields.ts";

const DEFAULTS = KAFKA_DEFAULTS.producer;

/** Options of producers; contradictions are looked for when defaults are applied. */
export const PRODUCER_SCHEMA: z.ZodType<ProducerOptions, ProducerOptions> = z.strictObject({
  requiredAcks: word(
    ["none", "leader", "all"],
    DEFAULTS.requiredAcks,
    "who must have a message before it counts as stored (Kafka acks)",
  ),
  idempotent: flag(DEFAULTS.idempotent, "retries make no duplicates (Kafka enable.idempotence)"),
  compression: word(
    ["none", "gzip", "snappy", "lz4", "zstd"],
    DEFAULTS.compression,
    "compression of record batches (Kafka compression.type)",
  ),
  compressionLevel: z
    .int("must be a whole number")
    .meta({ description: "level of the codec; its own when absent" })
    .exactOptional(),
  flushFrequencyMs: whole(
    0,
    DEFAULTS.flushFrequencyMs,
    "how long a batch waits for more messages (Kafka linger.ms)",
  ),
  flushMessages: whole(1, DEFAULTS.flushMessages, "messages at which a batch is closed"),
  batchSizeBytes: whole(
    1,
    DEFAULTS.batchSizeBytes,
    "bytes at which a batch is closed (Kafka batch.size)",
  ),
  bufferMessages: whole(1, DEFAULTS.bufferMessages, "messages accepted and not yet acknowledged"),
  bufferBytes: whole(
    1,
    DEFAULTS.bufferBytes,
    "bytes accepted and not yet acknowledged (Kafka buffer.memory)",
  ),
  onFull: word(["wait", "reject"], DEFAULTS.onFull, "what publish does when the buffer is full"),
  retryMax: whole(0, DEFAULTS.retryMax, "retries of a batch (Kafka retries)"),
  retryBackoffMs: whole(
    1,
    DEFAULTS.retryBackoffMs,
    "wait before the first retry (Kafka retry.backoff.ms)",
  ),
  timeoutMs: whole(1, DEFAULTS.timeoutMs, "deadline of a publish (Kafka delivery.timeout.ms)"),
  partitioner: z
    .union(
      [
        z.enum(["murmur2", "fnv1a"]),
        z.custom<Exclude<Partitioner, string>>((value) => typeof value === "function"),
      ],
      {
        error: "must be murmur2, fnv1a or a function",
      },
    )
    .meta({ description: "how a key becomes a partition", default: DEFAULTS.partitioner })
    .exactOptional(),
  maxInFlight: whole(
    1,
    DEFAULTS.maxInFlight,
    "produce requests in flight per broker (Kafka max.in.flight.requests.per.connection)",
  ),
  maxMessageBytes: whole(1, DEFAULTS.maxMessageBytes, "largest message (Kafka max.request.size)"),
  transactionalId: text("makes transactions available (Kafka transactional.id)"),
});
