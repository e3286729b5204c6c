import { z } from "zod";
import { KAFKA_DEFAULTS } from "./kafka-defaults.ts";
import type { ConsumerOptions } from "./driver-options.ts";
import { oneOf, text, whole, word } from "./option-fields.ts";

const DEFAULTS = KAFKA_DEFAULTS.consumer;

const offset = z.int("must be a whole number").min(0, "must be at least 0");

const UNREADABLE_RANGE = z
  .strictObject({
    topic: z.string("must be text").min(1, "must not be empty"),
    partition: offset,
    from: offset,
    to: offset,
  })
  .refine(({ from, to }) => to > from, { error: "must end behind its begin", path: ["to"] });

/** Options of consumers; contradictions are looked for when defaults are applied. */
export const CONSUMER_SCHEMA: z.ZodType<ConsumerOptions, ConsumerOptions> = z.strictObject({
  autoOffsetReset: word(
    ["earliest", "latest", "none"],
    DEFAULTS.autoOffsetReset,
    "where a group without a committed offset begins (Kafka auto.offset.reset)",
  ),
  sessionTimeoutMs: whole(
    1,
    DEFAULTS.sessionTimeoutMs,
    "how long a member may be silent; 12000 with kafkajs (Kafka session.timeout.ms)",
  ),
  heartbeatIntervalMs: whole(
    1,
    DEFAULTS.heartbeatIntervalMs,
    "less than a third of sessionTimeoutMs (Kafka heartbeat.interval.ms)",
  ),
  rebalanceTimeoutMs: whole(
    1,
    DEFAULTS.rebalanceTimeoutMs,
    "how long a rebalance waits for a member (Kafka rebalance.timeout.ms)",
  ),
  drainTimeoutMs: whole(
    0,
    DEFAULTS.drainTimeoutMs,
    "how long running handlers may keep a rebalance waiting",
  ),
  maxProcessingTimeMs: z
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .meta({ description: "deadline of a handler: an option of the bus, refused here" })
    .exactOptional(),
  fetchMinBytes: whole(1, DEFAULTS.fetchMinBytes, "Kafka fetch.min.bytes"),
  fetchMaxBytes: whole(1, DEFAULTS.fetchMaxBytes, "Kafka fetch.max.bytes"),
  fetchMaxWaitMs: whole(1, DEFAULTS.fetchMaxWaitMs, "Kafka fetch.max.wait.ms"),
  maxPartitionFetchBytes: whole(
    1,
    DEFAULTS.maxPartitionFetchBytes,
    "Kafka max.partition.fetch.bytes",
  ),
  isolationLevel: word(
    ["read_committed", "read_uncommitted"],
    DEFAULTS.isolationLevel,
    "Kafka isolation.level",
  ),
  assignor: oneOf(["roundrobin", "range", "cooperative-sticky"], {
    description:
      "how partitions are divided; the driver's best when absent (Kafka partition.assignment.strategy)",
  }),
  protocol: word(
    ["classic", "consumer"],
    DEFAULTS.protocol,
    "who divides partitions (Kafka group.protocol)",
  ),
  groupInstanceId: text("static membership (Kafka group.instance.id)"),
  commitIntervalMs: whole(
    1,
    DEFAULTS.commitIntervalMs,
    "longest time between a settlement and its commit",
  ),
  commitEveryMessages: whole(
    1,
    DEFAULTS.commitEveryMessages,
    "settlements after which a commit is made at once",
  ),
  maxInFlightMessages: whole(
    1,
    DEFAULTS.maxInFlightMessages,
    "messages delivered and not yet settled",
  ),
  maxInFlightBytes: whole(1, DEFAULTS.maxInFlightBytes, "bytes delivered and not yet settled"),
  maxUncommittedMessages: whole(
    1,
    DEFAULTS.maxUncommittedMessages,
    "settled messages of a partition that may wait behind an unsettled one",
  ),
  skipUnreadable: z
    .array(UNREADABLE_RANGE, "must be a list of ranges")
    .meta({ description: "records that may be lost because they cannot be read", default: [] })
    .exactOptional(),
});
