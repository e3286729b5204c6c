import type { TopicPartition } from "@bus/core";

/** What a member told about itself when it joined. */
export interface SubscribedMember {
  readonly memberId: string;
  readonly topics: ReadonlySet<string>;
}

/** Partitions by member. */
export type Division = ReadonlyMap<string, readonly TopicPartition[]>;

interface Holder {
  readonly member: SubscribedMember;
  readonly held: TopicPartition[];
}

/**
 * Divide partitions evenly over the members that subscribe their topics.
 *
 * Every topic of any member is divided, not only those of the member that leads the group. Members keep what they held
 * in `previous` as far as that is even, so that a rebalance moves little.
 *
 * @param members - All members of the group.
 * @param partitions - All partitions of all their topics, topic by topic.
 * @returns An entry per member; loads differ by one at most among members with the same topics.
 */
export function dividePartitions(
  members: readonly SubscribedMember[],
  partitions: readonly TopicPartition[],
  previous: Division = new Map(),
): Division {
  const holders = members
    .toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map((member): Holder => ({ member, held: [] }));
  const holderOf = previousHolders(holders, previous);
  const free: TopicPartition[] = [];
  for (const partition of partitions) {
    const holder = holderOf.get(key(partition));
    if (holder?.member.topics.has(partition.topic) === true) holder.held.push(partition);
    else free.push(partition);
  }
  for (const partition of free) leastLoaded(holders, partition.topic)?.held.push(partition);
  while (moveOne(holders));
  return new Map(holders.map(({ member, held }) => [member.memberId, held]));
}

function previousHolders(
  holders: readonly Holder[],
  previous: Division,
): ReadonlyMap<string, Holder> {
  return new Map(
    holders.flatMap((holder) =>
      (previous.get(holder.member.memberId) ?? []).map(
        (partition) => [key(partition), holder] as const,
      ),
    ),
  );
}

function leastLoaded(holders: readonly Holder[], topic: string): Holder | undefined {
  let least: Holder | undefined;
  for (const holder of holders) {
    if (!holder.member.topics.has(topic)) continue;
    if (least === undefined || holder.held.length < least.held.length) least = holder;
  }
  return least;
}

/** Move a partition from a member to one that holds at least two fewer; `false` when there is none such. */
function moveOne(holders: readonly Holder[]): boolean {
  const byLoad = holders.toSorted((a, b) => b.held.length - a.held.length);
  for (const heavy of byLoad) {
    for (const light of byLoad.toReversed()) {
      if (heavy.held.length - light.held.length < 2) break;
      const index = heavy.held.findLastIndex(({ topic }) => light.member.topics.has(topic));
      if (index < 0) continue;
      light.held.push(...heavy.held.splice(index, 1));
      return true;
    }
  }
  return false;
}

function key({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
