import { BUS_METRICS } from "../observe/bus-metrics.ts";
import type { Instruments } from "../contracts/instruments.ts";
import type { PartitionState } from "../contracts/transport.ts";
import type { GroupConsumer } from "../consume/group-consumer.ts";
import type { BusCore } from "./bus-core.ts";
import type { BusWatch } from "./bus-watch.ts";
import type { GroupPartition } from "./stall-watch.ts";
import type { Subscriptions } from "./subscriptions.ts";

type PartitionLabels = Readonly<Record<"topic" | "group" | "partition", string>>;

/** Set the gauges that are computed from partition states, whenever an exporter reads. */
export function exportPartitionGauges(
  { instruments, clock }: BusCore,
  subscriptions: Subscriptions,
  watch: BusWatch,
): void {
  let shown: ReadonlyMap<string, PartitionLabels> = new Map();
  instruments.onRead(() => {
    for (const consumer of subscriptions.consumers) exportGroup(instruments, consumer);
    const partitions = watch.partitions();
    const now = new Map(partitions.map((each) => [JSON.stringify(labelsOf(each)), labelsOf(each)]));
    // A partition that another member has now must not look stalled here for ever.
    for (const [id, labels] of shown) if (!now.has(id)) setAges(instruments, labels, [0, 0]);
    const nowMs = clock.now();
    for (const each of partitions)
      setAges(instruments, labelsOf(each), [ageMs(each.state, nowMs), each.stalledMs]);
    shown = now;
  });
}

function exportGroup(instruments: Instruments, consumer: GroupConsumer): void {
  const { group } = consumer;
  const partitions = consumer.partitions();
  instruments.gauge(BUS_METRICS.heldTopics, { group }).set(consumer.heldTopics.length);
  for (const { spec } of consumer.routes) {
    const own = partitions.filter(({ topic }) => topic === spec.topic);
    const labels = { topic: spec.topic, group };
    instruments
      .gauge(BUS_METRICS.inFlightMessages, labels)
      .set(own.reduce((sum, state) => sum + state.inFlightMessages, 0));
    instruments
      .gauge(BUS_METRICS.inFlightBytes, labels)
      .set(own.reduce((sum, state) => sum + state.inFlightBytes, 0));
  }
  for (const reason of ["inFlight", "scheduler", "uncommitted", "held"] as const) {
    const paused = partitions.filter(({ pausedBy }) => pausedBy.includes(reason)).length;
    instruments.gauge(BUS_METRICS.pausedPartitions, { group, reason }).set(paused);
  }
}

function setAges(
  instruments: Instruments,
  labels: PartitionLabels,
  [oldestMs, stalledMs]: readonly [oldestMs: number, stalledMs: number],
): void {
  instruments.gauge(BUS_METRICS.oldestUnsettled, labels).set(oldestMs / 1000);
  instruments.gauge(BUS_METRICS.partitionStalled, labels).set(stalledMs / 1000);
}

function ageMs({ oldestUnsettled }: PartitionState, nowMs: number): number {
  return oldestUnsettled === undefined ? 0 : nowMs - oldestUnsettled.deliveredAtMs;
}

function labelsOf({ group, state }: GroupPartition): PartitionLabels {
  return { topic: state.topic, group, partition: String(state.partition) };
}
