import type { InstrumentSpec } from "@bus/core";

/** The metrics of this package, declared once. */
export const AGGREGATE_METRICS: Readonly<
  Record<"lanes" | "laneWait" | "recoveryMode", InstrumentSpec>
> = Object.freeze({
  lanes: {
    name: "bus_lanes",
    help: "Lanes of aggregates, by state (total, active, idle).",
    kind: "gauge",
    labels: ["state"],
  },
  laneWait: {
    name: "bus_lane_wait_seconds",
    help: "Time a message waited for its handler, behind its aggregate and for a free place.",
    kind: "histogram",
    labels: [],
    buckets: [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
  },
  recoveryMode: {
    name: "bus_recovery_mode_active",
    help: "1 while the bus is in recovery mode.",
    kind: "gauge",
    labels: [],
  },
});
