/** A real situation on a real broker, as a test causes it. */
export interface Situation {
  /** File beside this folder. */
  readonly suite: "kafka.conformance.test.ts" | "kafka-trouble.conformance.test.ts";
  /** Title of the test. */
  readonly test: string;
}

const HANDLED: Situation = {
  suite: "kafka.conformance.test.ts",
  test: "idle is healthy, and what is handled and committed is counted",
};
const STALLED: Situation = {
  suite: "kafka.conformance.test.ts",
  test: "a partition that a poison message holds rises and is unhealthy at its limit; the message is named",
};
const STORM: Situation = {
  suite: "kafka.conformance.test.ts",
  test: "members that come and go are counted as rebalances, and leave everybody healthy",
};
const OUTAGE: Situation = {
  suite: "kafka.conformance.test.ts",
  test: "a broker that is gone degrades, is unhealthy beyond the grace, and healthy when it is back",
};
const BEHIND: Situation = {
  suite: "kafka-trouble.conformance.test.ts",
  test: "a service that falls behind shows its lag, a backlog, recovery mode and lanes, until it has caught up",
};
const REFUSED: Situation = {
  suite: "kafka-trouble.conformance.test.ts",
  test: "dead letters that the broker refuses degrade and are counted; stored and dealt with, all is well",
};
const HELD: Situation = {
  suite: "kafka-trouble.conformance.test.ts",
  test: "a topic without a handler is held, one whose handlers do not end is paused, and a handler past its deadline is overdue",
};
const SLOW_REBALANCE: Situation = {
  suite: "kafka-trouble.conformance.test.ts",
  test: "a rebalance that waits for a handler longer than its limit degrades, until it is over",
};
const TWO_BUSES: Situation = {
  suite: "kafka-trouble.conformance.test.ts",
  test: "two buses in one process keep their numbers and their health apart",
};
const BLOCKED: Situation = {
  suite: "kafka-trouble.conformance.test.ts",
  test: "a blocked event loop is told before and after it costs the membership; what comes again is dropped and counted",
};
const REPLACED: Situation = {
  suite: "kafka-trouble.conformance.test.ts",
  test: "a member whose name another process has taken over has ended, and is unhealthy",
};

/** Where each metric is asked for while something makes it move. */
export const METRIC_SITUATIONS: Readonly<Record<string, Situation>> = {
  bus_messages_published_total: HANDLED,
  bus_messages_consumed_total: HANDLED,
  bus_publish_seconds: HANDLED,
  bus_message_processing_seconds: HANDLED,
  bus_message_end_to_end_seconds: HANDLED,
  bus_commit_seconds: HANDLED,
  bus_connected: HANDLED,
  bus_build_info: HANDLED,
  bus_in_flight_messages: HELD,
  bus_in_flight_bytes: STALLED,
  bus_processing_errors_total: STALLED,
  bus_retry_attempts_total: STALLED,
  bus_partition_stalled_seconds: STALLED,
  bus_oldest_unsettled_seconds: STALLED,
  bus_dead_letter_messages_total: REFUSED,
  bus_dead_letter_failures_total: REFUSED,
  bus_dead_letter_dealt_with_total: REFUSED,
  bus_handlers_overdue_total: HELD,
  bus_held_topics: HELD,
  bus_paused_partitions: HELD,
  bus_duplicates_dropped_total: BLOCKED,
  bus_event_loop_blocked_seconds: BLOCKED,
  bus_rebalances_total: STORM,
  bus_reconnects_total: OUTAGE,
  bus_backlog_unknown: OUTAGE,
  bus_backlog_detected: BEHIND,
  bus_consumer_lag_messages: BEHIND,
  bus_consumer_lag_seconds: BEHIND,
  bus_recovery_mode_active: BEHIND,
  bus_lanes: BEHIND,
  bus_lane_wait_seconds: BEHIND,
};

/** A state that a component of health can be in, and what puts it there. */
export interface HealthSituation {
  readonly component: string;
  readonly state: "healthy" | "degraded" | "unhealthy";
  readonly why: string;
  readonly situation: Situation;
}

/** Where each state of health is reached. */
export const HEALTH_SITUATIONS: readonly HealthSituation[] = [
  { component: "bus", state: "healthy", why: "idle", situation: HANDLED },
  { component: "bus", state: "healthy", why: "its neighbour is ill", situation: TWO_BUSES },
  { component: "bus", state: "unhealthy", why: "closed", situation: HANDLED },
  { component: "connection", state: "degraded", why: "the broker is gone", situation: OUTAGE },
  { component: "connection", state: "unhealthy", why: "gone for long", situation: OUTAGE },
  { component: "publish", state: "unhealthy", why: "the probe is not answered", situation: OUTAGE },
  { component: "backlog", state: "degraded", why: "the lag cannot be read", situation: OUTAGE },
  { component: "subscriptions", state: "unhealthy", why: "a partition stalls", situation: STALLED },
  { component: "subscriptions", state: "unhealthy", why: "membership ended", situation: REPLACED },
  {
    component: "subscriptions",
    state: "degraded",
    why: "long rebalance",
    situation: SLOW_REBALANCE,
  },
  { component: "subscriptions", state: "degraded", why: "a topic is held", situation: HELD },
  { component: "handlers", state: "degraded", why: "retried for ever", situation: STALLED },
  { component: "handlers", state: "degraded", why: "dead letters fail", situation: REFUSED },
  { component: "eventLoop", state: "degraded", why: "a handler blocks it", situation: BLOCKED },
  { component: "backlog", state: "degraded", why: "behind", situation: BEHIND },
  { component: "recovery", state: "degraded", why: "recovery by backlog", situation: BEHIND },
];
