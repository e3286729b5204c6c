import type { PartitionBacklog } from "./verdict.ts";

/** Partitions as one check saw them. */
export interface LagSnapshot {
  /** On the monotonic clock. */
  readonly takenAtMs: number;
  readonly partitions: readonly PartitionBacklog[];
}

/** How fast a backlog grows or shrinks. */
export interface LagRates {
  /** Messages committed per second since the check before; `undefined` when no partition can tell. */
  readonly consumedPerSecond: number | undefined;
  /** Messages produced per second since the check before. */
  readonly producedPerSecond: number | undefined;
  /** Milliseconds until nothing is behind, at these rates; `undefined` when that is never, or unknown. */
  readonly timeToClearMs: number | undefined;
}

/** What is known before two checks have seen the same partition. */
export const NO_RATES: LagRates = Object.freeze({
  consumedPerSecond: undefined,
  producedPerSecond: undefined,
  timeToClearMs: undefined,
});

/**
 * Rates between two checks, over the partitions that both have seen. A partition whose offsets went back (its topic was
 * made anew, its group was reset) tells nothing.
 */
export function lagRates(before: LagSnapshot | undefined, now: LagSnapshot): LagRates {
  if (before === undefined || now.takenAtMs <= before.takenAtMs) return NO_RATES;
  const earlier = new Map(before.partitions.map((partition) => [idOf(partition), partition]));
  let consumed = 0n;
  let produced = 0n;
  let compared = 0;
  for (const partition of now.partitions) {
    const was = earlier.get(idOf(partition));
    if (was === undefined || end(partition) < end(was) || position(partition) < position(was))
      continue;
    consumed += position(partition) - position(was);
    produced += end(partition) - end(was);
    compared++;
  }
  if (compared === 0) return NO_RATES;
  const seconds = (now.takenAtMs - before.takenAtMs) / 1000;
  const consumedPerSecond = Number(consumed) / seconds;
  const producedPerSecond = Number(produced) / seconds;
  return {
    consumedPerSecond,
    producedPerSecond,
    timeToClearMs: timeToClear(now, consumedPerSecond - producedPerSecond),
  };
}

function timeToClear({ partitions }: LagSnapshot, gainPerSecond: number): number | undefined {
  const lag = Number(partitions.reduce((sum, { lagMessages }) => sum + lagMessages, 0n));
  if (lag === 0) return 0;
  return gainPerSecond > 0 ? (lag / gainPerSecond) * 1000 : undefined;
}

/** Where the group stands: lag counts from here, whether that was committed or not. */
function position(partition: PartitionBacklog): bigint {
  return end(partition) - partition.lagMessages;
}

/** Where the partition ends, in messages where the transport counts them apart from offsets. */
function end({ high, produced }: PartitionBacklog): bigint {
  return produced ?? high;
}

function idOf({ group, topic, partition }: PartitionBacklog): string {
  return JSON.stringify([group, topic, partition]);
}
