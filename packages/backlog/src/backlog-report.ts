import type { BacklogVerdict } from "@bus/core";
import type { LagRates } from "./rates.ts";
import type { GroupVerdict, PartitionBacklog, UnknownPartition } from "./verdict.ts";

/** What one check found. */
export interface BacklogReport extends LagRates {
  readonly verdict: BacklogVerdict;
  /** Milliseconds since the Unix epoch. */
  readonly checkedAtMs: number;
  readonly durationMs: number;
  /** The verdict on each group of the bus. */
  readonly groups: readonly GroupVerdict[];
  readonly partitions: readonly PartitionBacklog[];
  /** Partitions (or, with `partition: -1`, whole topics) that could not be read, and why. */
  readonly unknown: readonly UnknownPartition[];
  /** Messages behind in the partitions that could be read. */
  readonly totalLagMessages: bigint;
}
