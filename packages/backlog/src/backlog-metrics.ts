import type { InstrumentSpec, Instruments } from "@bus/core";
import type { BacklogReport } from "./backlog-report.ts";

const PARTITION = ["topic", "group", "partition"] as const;

/** The metrics of this package, declared once. */
export const BACKLOG_METRICS: Readonly<
  Record<"lagMessages" | "lagSeconds" | "detected" | "unknown", InstrumentSpec>
> = Object.freeze({
  lagMessages: {
    name: "bus_consumer_lag_messages",
    help: "Messages behind at the newest check; NaN while the lag cannot be read.",
    kind: "gauge",
    labels: PARTITION,
  },
  lagSeconds: {
    name: "bus_consumer_lag_seconds",
    help: "Age of the oldest message behind, at least; 0 while it is within the limit and not at hand, NaN while the lag cannot be read.",
    kind: "gauge",
    labels: PARTITION,
  },
  detected: {
    name: "bus_backlog_detected",
    help: "1 while there is a backlog.",
    kind: "gauge",
    labels: ["group"],
  },
  unknown: {
    name: "bus_backlog_unknown",
    help: "1 while it cannot be told whether there is a backlog.",
    kind: "gauge",
    labels: ["group"],
  },
});

interface PartitionName {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
}

/** Shows each check as gauges. What a check no longer tells of is unknown, not gone to zero. */
export class BacklogGauges {
  readonly #instruments: Instruments;
  readonly #partitions = new Map<string, PartitionName>();

  constructor(instruments: Instruments) {
    this.#instruments = instruments;
  }

  show({ groups, partitions }: BacklogReport): void {
    for (const { group, verdict } of groups) {
      this.#instruments
        .gauge(BACKLOG_METRICS.detected, { group })
        .set(verdict === "backlog" ? 1 : 0);
      this.#instruments
        .gauge(BACKLOG_METRICS.unknown, { group })
        .set(verdict === "unknown" ? 1 : 0);
    }
    const untold = new Map(this.#partitions);
    for (const partition of partitions) {
      const id = JSON.stringify([partition.group, partition.topic, partition.partition]);
      untold.delete(id);
      this.#partitions.set(id, partition);
      this.#set(partition, Number(partition.lagMessages), (partition.oldestAgeMs ?? 0) / 1000);
    }
    for (const partition of untold.values()) this.#set(partition, Number.NaN, Number.NaN);
  }

  #set({ group, topic, partition }: PartitionName, messages: number, seconds: number): void {
    const labels = { group, topic, partition: String(partition) };
    this.#instruments.gauge(BACKLOG_METRICS.lagMessages, labels).set(messages);
    this.#instruments.gauge(BACKLOG_METRICS.lagSeconds, labels).set(seconds);
  }
}
