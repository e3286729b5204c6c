import { BUS_METRICS } from "../observe/bus-metrics.ts";
import type { PartitionState } from "../contracts/transport.ts";
import type { GroupConsumer } from "../consume/group-consumer.ts";
import type { BusCore } from "./bus-core.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** Set the gauges that are computed from partition states, whenever an exporter reads. */
export function exportPartitionGauges(core: BusCore, subscriptions: Subscriptions): void {
  const stalls = new StallClock();
  core.instruments.onRead(() => {
    for (const consumer of subscriptions.consumers) exportGroup(core, consumer, stalls);
  });
}

function exportGroup(
  { instruments, clock }: BusCore,
  consumer: GroupConsumer,
  stalls: StallClock,
): void {
  const { group } = consumer;
  const nowMs = clock.now();
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
  for (const state of partitions) {
    const labels = { topic: state.topic, group, partition: String(state.partition) };
    const oldestMs =
      state.oldestUnsettled === undefined ? 0 : nowMs - state.oldestUnsettled.deliveredAtMs;
    instruments.gauge(BUS_METRICS.oldestUnsettled, labels).set(oldestMs / 1000);
    instruments
      .gauge(BUS_METRICS.partitionStalled, labels)
      .set(stalls.stalledMs(group, state, nowMs) / 1000);
  }
}

/** How long the committed offset of a partition has not moved while something was in flight. */
class StallClock {
  readonly #seen = new Map<
    string,
    { readonly committed: bigint | undefined; readonly sinceMs: number }
  >();

  stalledMs(group: string, state: PartitionState, nowMs: number): number {
    const id = `${group} ${state.topic} ${state.partition}`;
    const before = this.#seen.get(id);
    const idle = state.oldestUnsettled === undefined;
    if (!idle && before !== undefined && before.committed === state.committedOffset)
      return nowMs - before.sinceMs;
    // First seen while something is in flight: it has been waiting since it was delivered.
    const sinceMs = state.oldestUnsettled?.deliveredAtMs ?? nowMs;
    this.#seen.set(id, {
      committed: state.committedOffset,
      sinceMs: before === undefined ? sinceMs : nowMs,
    });
    return idle ? 0 : nowMs - (before === undefined ? sinceMs : nowMs);
  }
}
