import type { PartitionState } from "../contracts/transport.ts";
import type { GroupConsumer } from "../consume/group-consumer.ts";

interface Standstill {
  readonly committed: bigint | undefined;
  readonly sinceMs: number;
}

/** A partition by its group. */
export interface GroupPartition {
  readonly group: string;
  readonly state: PartitionState;
  /** How long the committed offset has not moved while something was in flight, in milliseconds; 0 when idle. */
  readonly stalledMs: number;
}

/**
 * Tells how long partitions have stood still: something is in flight and the committed offset does not move. An old
 * delivery alone is no standstill, as in a deep queue that moves on, and neither is a partition with nothing to do.
 *
 * It sees only what it is shown, so it is shown the partitions every second.
 */
export class StallWatch {
  #standstills = new Map<string, Standstill>();

  look(consumers: readonly GroupConsumer[], nowMs: number): readonly GroupPartition[] {
    const before = this.#standstills;
    // Made anew, so that partitions that went elsewhere are forgotten.
    this.#standstills = new Map();
    return consumers.flatMap((consumer) =>
      consumer.partitions().map((state) => {
        const id = JSON.stringify([consumer.group, state.topic, state.partition]);
        const standstill = standstillOf(state, before.get(id), nowMs);
        if (standstill !== undefined) this.#standstills.set(id, standstill);
        const stalledMs = standstill === undefined ? 0 : nowMs - standstill.sinceMs;
        return { group: consumer.group, state, stalledMs };
      }),
    );
  }
}

function standstillOf(
  { oldestUnsettled, committedOffset }: PartitionState,
  before: Standstill | undefined,
  nowMs: number,
): Standstill | undefined {
  if (oldestUnsettled === undefined) return undefined;
  if (before === undefined)
    return { committed: committedOffset, sinceMs: oldestUnsettled.deliveredAtMs };
  if (before.committed === committedOffset) return before;
  return { committed: committedOffset, sinceMs: nowMs };
}
