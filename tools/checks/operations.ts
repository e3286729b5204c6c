/** A line of a panel. */
export interface PanelQuery {
  readonly expression: string;
  readonly legend: string;
}

/** A panel of the dashboard. */
export interface Panel {
  readonly title: string;
  /** A unit of Grafana. */
  readonly unit: "short" | "s" | "ops" | "bytes" | "bool";
  readonly queries: readonly PanelQuery[];
}

/** A rule that calls a person. */
export interface Alert {
  readonly name: string;
  readonly expression: string;
  /** How long it must hold, as Prometheus writes durations. */
  readonly for: string;
  readonly severity: "critical" | "warning";
  readonly summary: string;
}

const RANGE = "$__rate_interval";
const ERRORS = "topic, group, class";

function query(expression: string, legend: string): PanelQuery {
  return { expression, legend };
}

function rate(name: string, by: string): PanelQuery {
  const legend = by
    .split(", ")
    .map((label) => `{{${label}}}`)
    .join(" ");
  return query(`sum by (${by}) (rate(${name}[${RANGE}]))`, legend);
}

function quantile(share: number, histogram: string, by: string): PanelQuery {
  const labels = by === "" ? "le" : `le, ${by}`;
  const legend = by === "" ? "" : ` {{${by.replaceAll(", ", "}} {{")}}}`;
  return query(
    `histogram_quantile(${share}, sum by (${labels}) (rate(${histogram}_bucket[${RANGE}])))`,
    `p${share * 100}${legend}`,
  );
}

function worst(name: string, by: string): PanelQuery {
  return query(`max by (${by}) (${name})`, `{{${by.replaceAll(", ", "}} {{")}}}`);
}

/** A counter that grew; one that came into being with its first count has grown too, which `increase` does not see. */
function grew(name: string, by: string, range: string): string {
  const increase = `sum by (${by}) (increase(${name}[${range}])) > 0`;
  return `${increase} or sum by (${by}) (${name} unless ${name} offset ${range}) > 0`;
}

/** The dashboard, from what a person looks at first to what explains it. */
export const PANELS: readonly Panel[] = [
  {
    title: "Connected",
    unit: "bool",
    queries: [query("min by (instance) (bus_connected)", "{{instance}}")],
  },
  {
    title: "Versions",
    unit: "short",
    queries: [query("count by (version) (bus_build_info)", "{{version}}")],
  },
  {
    title: "Lag",
    unit: "short",
    queries: [query("sum by (topic, group) (bus_consumer_lag_messages)", "{{topic}} {{group}}")],
  },
  { title: "Lag in time", unit: "s", queries: [worst("bus_consumer_lag_seconds", "topic, group")] },
  {
    title: "Stalled partitions",
    unit: "s",
    queries: [worst("bus_partition_stalled_seconds", "topic, group, partition")],
  },
  {
    title: "Oldest unsettled delivery",
    unit: "s",
    queries: [worst("bus_oldest_unsettled_seconds", "topic, group")],
  },
  {
    title: "Backlog and recovery mode",
    unit: "bool",
    queries: [
      query("max by (group) (bus_backlog_detected)", "backlog {{group}}"),
      query("max by (group) (bus_backlog_unknown)", "unknown {{group}}"),
      query("max by (instance) (bus_recovery_mode_active)", "recovery {{instance}}"),
    ],
  },
  {
    title: "Published",
    unit: "ops",
    queries: [rate("bus_messages_published_total", "topic, outcome")],
  },
  {
    title: "Time to publish",
    unit: "s",
    queries: [
      quantile(0.5, "bus_publish_seconds", "topic"),
      quantile(0.99, "bus_publish_seconds", "topic"),
    ],
  },
  {
    title: "Settled",
    unit: "ops",
    queries: [rate("bus_messages_consumed_total", "topic, group, outcome")],
  },
  {
    title: "Time of handlers",
    unit: "s",
    queries: [
      quantile(0.5, "bus_message_processing_seconds", "topic, group"),
      quantile(0.99, "bus_message_processing_seconds", "topic, group"),
    ],
  },
  {
    title: "From broker to done",
    unit: "s",
    queries: [
      quantile(0.5, "bus_message_end_to_end_seconds", "topic, group"),
      quantile(0.99, "bus_message_end_to_end_seconds", "topic, group"),
    ],
  },
  { title: "Failures", unit: "ops", queries: [rate("bus_processing_errors_total", ERRORS)] },
  {
    title: "Retries and overdue handlers",
    unit: "ops",
    queries: [
      rate("bus_retry_attempts_total", "topic, group"),
      rate("bus_handlers_overdue_total", "topic, group"),
    ],
  },
  {
    title: "Dead letters",
    unit: "ops",
    queries: [
      rate("bus_dead_letter_messages_total", "topic, class"),
      rate("bus_dead_letter_failures_total", "topic, class"),
      rate("bus_dead_letter_dealt_with_total", "topic, outcome"),
    ],
  },
  {
    title: "In flight",
    unit: "short",
    queries: [query("sum by (topic, group) (bus_in_flight_messages)", "{{topic}} {{group}}")],
  },
  {
    title: "Bytes in flight",
    unit: "bytes",
    queries: [query("sum by (topic, group) (bus_in_flight_bytes)", "{{topic}} {{group}}")],
  },
  { title: "Lanes", unit: "short", queries: [query("sum by (state) (bus_lanes)", "{{state}}")] },
  {
    title: "Wait for a handler",
    unit: "s",
    queries: [
      quantile(0.5, "bus_lane_wait_seconds", ""),
      quantile(0.99, "bus_lane_wait_seconds", ""),
    ],
  },
  {
    title: "Partitions not read, topics held",
    unit: "short",
    queries: [
      query("sum by (group, reason) (bus_paused_partitions)", "{{group}} {{reason}}"),
      query("max by (group) (bus_held_topics)", "held topics {{group}}"),
    ],
  },
  {
    title: "Rebalances and reconnects",
    unit: "ops",
    queries: [rate("bus_rebalances_total", "group"), rate("bus_reconnects_total", "instance")],
  },
  { title: "Time of commits", unit: "s", queries: [quantile(0.99, "bus_commit_seconds", "group")] },
  {
    title: "Duplicates dropped",
    unit: "ops",
    queries: [rate("bus_duplicates_dropped_total", "topic, group")],
  },
  {
    title: "Blocked event loop",
    unit: "s",
    queries: [worst("bus_event_loop_blocked_seconds", "instance")],
  },
];

/** The alerts; `docs/guides/operations.md` says of each what it means and what to do. */
export const ALERTS: readonly Alert[] = [
  alert("BusDisconnected", ["critical", "1m"], {
    expression: "min by (instance) (bus_connected) == 0",
    summary: "{{ $labels.instance }} has no connection to its broker",
  }),
  alert("BusPartitionStalled", ["critical", "0m"], {
    expression: "max by (topic, group, partition) (bus_partition_stalled_seconds) > 60",
    summary:
      "{{ $labels.topic }}/{{ $labels.partition }} of {{ $labels.group }} has stood still for {{ $value | humanizeDuration }}",
  }),
  alert("BusDeadLettersFail", ["critical", "0m"], {
    expression: grew("bus_dead_letter_failures_total", "topic", "5m"),
    summary:
      "dead letters of {{ $labels.topic }} cannot be stored; their keys or partitions are held",
  }),
  alert("BusPublishFails", ["critical", "2m"], {
    expression: 'sum by (topic) (rate(bus_messages_published_total{outcome="failed"}[5m])) > 0',
    summary: "messages to {{ $labels.topic }} cannot be published",
  }),
  alert("BusDeadLetters", ["warning", "0m"], {
    expression: grew("bus_dead_letter_messages_total", "topic, class", "15m"),
    summary: "{{ $labels.topic }} has new dead letters of class {{ $labels.class }}",
  }),
  alert("BusBacklog", ["warning", "10m"], {
    expression: "max by (group) (bus_backlog_detected) == 1",
    summary: "{{ $labels.group }} has been behind for more than ten minutes",
  }),
  alert("BusBacklogUnknown", ["warning", "5m"], {
    expression: "max by (group) (bus_backlog_unknown) == 1",
    summary: "the lag of {{ $labels.group }} cannot be read",
  }),
  alert("BusFailureRate", ["warning", "10m"], {
    expression:
      "sum by (topic, group) (rate(bus_processing_errors_total[10m])) > 0.05 * sum by (topic, group) (rate(bus_messages_consumed_total[10m]))",
    summary:
      "more than one in twenty handler runs of {{ $labels.topic }} in {{ $labels.group }} fails",
  }),
  alert("BusHandlersOverdue", ["warning", "0m"], {
    expression: grew("bus_handlers_overdue_total", "topic, group", "15m"),
    summary: "handlers of {{ $labels.topic }} in {{ $labels.group }} exceed their deadline",
  }),
  alert("BusTopicHeld", ["warning", "15m"], {
    expression: "max by (group) (bus_held_topics) > 0",
    summary: "{{ $labels.group }} holds topics that have no handler",
  }),
  alert("BusRebalanceStorm", ["warning", "5m"], {
    expression: "sum by (group) (increase(bus_rebalances_total[10m])) > 20",
    summary: "{{ $labels.group }} is rebalanced again and again",
  }),
  alert("BusEventLoopBlocked", ["warning", "0m"], {
    expression: "max by (instance) (bus_event_loop_blocked_seconds) > 0",
    summary: "something blocks the event loop of {{ $labels.instance }}",
  }),
];

function alert(
  name: string,
  [severity, duration]: readonly [Alert["severity"], string],
  text: Pick<Alert, "expression" | "summary">,
): Alert {
  return { name, severity, for: duration, ...text };
}
