import type { InstrumentSpec } from "../contracts/instruments.ts";

const SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

/** The metrics that core itself keeps, declared once; plugins and transports declare theirs in tables of the same shape. */
export const BUS_METRICS: Readonly<Record<BusMetricName, InstrumentSpec>> = Object.freeze({
  published: counter(
    "bus_messages_published_total",
    "Messages published, by outcome (stored, failed).",
    ["topic", "outcome"],
  ),
  consumed: counter("bus_messages_consumed_total", "Deliveries settled, by outcome.", [
    "topic",
    "group",
    "outcome",
  ]),
  publishSeconds: histogram(
    "bus_publish_seconds",
    "Time from publish to the broker's acknowledgement.",
    ["topic"],
  ),
  processingSeconds: histogram(
    "bus_message_processing_seconds",
    "Time a successful handler ran; a busy subscription is sampled.",
    ["topic", "group"],
  ),
  endToEndSeconds: histogram(
    "bus_message_end_to_end_seconds",
    "Time from the broker's timestamp of a message to the end of its handler.",
    ["topic", "group"],
  ),
  processingErrors: counter("bus_processing_errors_total", "Failed handler runs, by error class.", [
    "topic",
    "group",
    "class",
  ]),
  retries: counter("bus_retry_attempts_total", "Handler runs repeated in place.", [
    "topic",
    "group",
  ]),
  deadLetters: counter("bus_dead_letter_messages_total", "Messages stored as dead letters.", [
    "topic",
    "class",
  ]),
  deadLetterFailures: counter(
    "bus_dead_letter_failures_total",
    "Failed attempts to store a dead letter.",
    ["topic", "class"],
  ),
  overdue: counter("bus_handlers_overdue_total", "Handler runs that exceeded their deadline.", [
    "topic",
    "group",
  ]),
  duplicatesDropped: counter(
    "bus_duplicates_dropped_total",
    "Records fetched again and dropped before a handler.",
    ["topic", "group"],
  ),
  commitSeconds: histogram("bus_commit_seconds", "Time a commit took.", ["group"]),
  rebalances: counter("bus_rebalances_total", "Changes of the partition assignment.", ["group"]),
  reconnects: counter("bus_reconnects_total", "Attempts to reach the broker again.", []),
  connected: gauge("bus_connected", "1 while the transport is connected.", []),
  heldTopics: gauge("bus_held_topics", "Topics assigned without a handler.", ["group"]),
  inFlightMessages: gauge("bus_in_flight_messages", "Deliveries not yet settled.", [
    "topic",
    "group",
  ]),
  inFlightBytes: gauge("bus_in_flight_bytes", "Bytes of deliveries not yet settled.", [
    "topic",
    "group",
  ]),
  pausedPartitions: gauge("bus_paused_partitions", "Partitions not being read, by reason.", [
    "group",
    "reason",
  ]),
  oldestUnsettled: gauge(
    "bus_oldest_unsettled_seconds",
    "Age of the oldest delivery not yet settled.",
    ["topic", "group", "partition"],
  ),
  partitionStalled: gauge(
    "bus_partition_stalled_seconds",
    "How long the committed offset has not moved while something is in flight.",
    ["topic", "group", "partition"],
  ),
  loopBlocked: gauge(
    "bus_event_loop_blocked_seconds",
    "Longest time for which the event loop was blocked within the last minute.",
    [],
  ),
  buildInfo: gauge("bus_build_info", "1, with the version of @bus/core.", ["version"]),
});

/** Names of core's own metrics in `BUS_METRICS`. */
export type BusMetricName =
  | "published"
  | "consumed"
  | "publishSeconds"
  | "processingSeconds"
  | "endToEndSeconds"
  | "processingErrors"
  | "retries"
  | "deadLetters"
  | "deadLetterFailures"
  | "overdue"
  | "duplicatesDropped"
  | "commitSeconds"
  | "rebalances"
  | "reconnects"
  | "connected"
  | "heldTopics"
  | "inFlightMessages"
  | "inFlightBytes"
  | "pausedPartitions"
  | "oldestUnsettled"
  | "partitionStalled"
  | "loopBlocked"
  | "buildInfo";

function counter(name: string, help: string, labels: InstrumentSpec["labels"]): InstrumentSpec {
  return Object.freeze({ name, help, kind: "counter", labels });
}

function gauge(name: string, help: string, labels: InstrumentSpec["labels"]): InstrumentSpec {
  return Object.freeze({ name, help, kind: "gauge", labels });
}

function histogram(name: string, help: string, labels: InstrumentSpec["labels"]): InstrumentSpec {
  return Object.freeze({ name, help, kind: "histogram", labels, buckets: SECONDS });
}
