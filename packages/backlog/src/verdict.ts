import type { BacklogVerdict, PartitionLag, UnknownPartitionLag } from "@bus/core";

/** A partition whose lag was read. */
export interface PartitionBacklog extends PartitionLag {
  readonly group: string;
  /**
   * Age of the oldest message that is not settled, in milliseconds; where that message is not at hand, the limit that
   * it has passed; `undefined` when nothing is behind or the limit is not passed.
   */
  readonly oldestAgeMs: number | undefined;
  /** Whether a message behind is older than `maxLagMs`. */
  readonly late: boolean;
}

/** A partition whose lag could not be read; `partition: -1` stands for all of a topic. */
export interface UnknownPartition extends UnknownPartitionLag {
  readonly group: string;
}

/** What one check saw. */
export interface LagReading {
  readonly partitions: readonly PartitionBacklog[];
  readonly unknown: readonly UnknownPartition[];
}

/** From where on lag is a backlog. */
export interface LagLimits {
  /** Messages behind in one partition. */
  readonly maxLagMessages: number;
  /** Messages behind in all partitions of a group; `undefined`: no limit. */
  readonly maxTotalLagMessages?: number | undefined;
}

/** The verdict on one group. */
export interface GroupVerdict {
  readonly group: string;
  readonly verdict: BacklogVerdict;
  /** Messages behind in the partitions that could be read. */
  readonly lagMessages: bigint;
}

/** Judge each group on its own, in the order of `groups`. */
export function groupVerdicts(
  groups: readonly string[],
  reading: LagReading,
  limits: LagLimits,
): readonly GroupVerdict[] {
  return groups.map((group) => {
    const partitions = reading.partitions.filter((partition) => partition.group === group);
    const lagMessages = totalLag(partitions);
    const behind =
      partitions.some((partition) => isBehind(partition, limits)) ||
      lagMessages > totalLimit(limits, lagMessages);
    if (behind) return { group, verdict: "backlog", lagMessages };
    const blind = reading.unknown.some((partition) => partition.group === group);
    return { group, verdict: blind ? "unknown" : "clear", lagMessages };
  });
}

/** One verdict over several: a backlog anywhere is one, and what is unknown anywhere is never clear. */
export function worstVerdict(verdicts: readonly BacklogVerdict[]): BacklogVerdict {
  if (verdicts.includes("backlog")) return "backlog";
  return verdicts.includes("unknown") ? "unknown" : "clear";
}

/** Messages behind over partitions. */
export function totalLag(partitions: readonly Pick<PartitionLag, "lagMessages">[]): bigint {
  return partitions.reduce((sum, { lagMessages }) => sum + lagMessages, 0n);
}

/** Whether one partition alone makes a backlog. */
export function isBehind(
  partition: PartitionBacklog,
  limits: Pick<LagLimits, "maxLagMessages">,
): boolean {
  return partition.late || partition.lagMessages > BigInt(limits.maxLagMessages);
}

function totalLimit({ maxTotalLagMessages }: LagLimits, otherwise: bigint): bigint {
  return maxTotalLagMessages === undefined ? otherwise : BigInt(maxTotalLagMessages);
}
