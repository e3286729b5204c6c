import type { LeasedTopic } from "./lease-contract.ts";
import { partitionKey } from "./lease-records.ts";
import type { LeaseView, SeenMember, SeenPartition } from "./lease-view.ts";

/** What a member knows when it decides what to do next. */
export interface PlanInput {
  readonly group: string;
  readonly view: LeaseView;
  readonly me: string;
  readonly topics: readonly LeasedTopic[];
  /** Keys of partitions that are ours and stay so for now; those being handed over are not among them. */
  readonly held: ReadonlySet<string>;
  /** Keys of partitions that are being handed over. */
  readonly leaving: ReadonlySet<string>;
  readonly nowMs: number;
  readonly expireMs: number;
}

/** What a member should do. */
export interface LeasePlan {
  /** Members that have been silent for too long. */
  readonly evict: readonly SeenMember[];
  /** Partitions without an owner, to be taken in this order. */
  readonly claim: readonly SeenPartition[];
  /** Keys of partitions to hand over. */
  readonly release: readonly string[];
}

/**
 * Decide what a member does next, from what it sees.
 *
 * Topics that the same members subscribe form one pool, of which each of them gets its share: the whole part of
 * partitions ÷ members, and one more for as many members as there are partitions left over, those that own most first.
 * So shares differ by one at most, and a partition moves only when its owner has more than its share.
 */
export function planLeases(input: PlanInput): LeasePlan {
  const { view, me, nowMs, expireMs } = input;
  const evict = [...view.members.values()].filter(
    ({ id, changedAtMs }) => id !== me && nowMs - changedAtMs >= expireMs,
  );
  const claim: SeenPartition[] = [];
  const release: string[] = [];
  const wanted = new Set<string>();
  for (const pool of pools(input)) {
    const { members, partitions } = pool;
    const held = partitions.filter(({ key }) => input.held.has(key));
    for (const { key } of partitions) wanted.add(key);
    const share = shareOf(me, members, partitions);
    for (const { key } of held.slice(share)) release.push(key);
    const free = partitions.filter(
      ({ key, owner }) =>
        (owner === "" || !view.members.has(owner)) &&
        !input.held.has(key) &&
        !input.leaving.has(key),
    );
    claim.push(
      ...fromRank(free, members.indexOf(me), members.length).slice(
        0,
        Math.max(share - held.length, 0),
      ),
    );
  }
  for (const key of input.held) if (!wanted.has(key)) release.push(key);
  return { evict, claim, release };
}

interface Pool {
  /** Ids, sorted. */
  readonly members: readonly string[];
  readonly partitions: readonly SeenPartition[];
}

function pools({ group, view, me, topics }: PlanInput): readonly Pool[] {
  const byMembers = new Map<string, { members: readonly string[]; partitions: SeenPartition[] }>();
  for (const leased of topics) {
    const others = [...view.members.values()].filter(
      ({ id, topics: theirs }) => id !== me && theirs.some(({ topic }) => topic === leased.topic),
    );
    const members = [me, ...others.map(({ id }) => id)].toSorted();
    const name = members.join(" ");
    const pool = byMembers.get(name) ?? { members, partitions: [] };
    byMembers.set(name, pool);
    for (let partition = 0; partition < leased.partitions; partition += 1) {
      const place = { topic: leased.topic, partition };
      const key = partitionKey(group, place);
      const none = { ...place, key, owner: "", epoch: 0, floor: undefined, revision: 0 };
      pool.partitions.push(view.partitions.get(key) ?? none);
    }
  }
  return [...byMembers.values()];
}

function shareOf(
  me: string,
  members: readonly string[],
  partitions: readonly SeenPartition[],
): number {
  const owned = new Map<string, number>();
  for (const { owner } of partitions) owned.set(owner, (owned.get(owner) ?? 0) + 1);
  const ranked = members.toSorted(
    (left, right) => (owned.get(right) ?? 0) - (owned.get(left) ?? 0) || (left < right ? -1 : 1),
  );
  const whole = Math.floor(partitions.length / members.length);
  return ranked.indexOf(me) < partitions.length % members.length ? whole + 1 : whole;
}

/** Members begin at different places, so that they rarely want the same partition at once. */
function fromRank<TItem>(items: readonly TItem[], rank: number, members: number): readonly TItem[] {
  const from = Math.floor((items.length * rank) / members);
  return [...items.slice(from), ...items.slice(0, from)];
}
