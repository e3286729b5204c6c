/** A member of a group as the assignment sees it. */
export interface Candidate {
  readonly topics: ReadonlySet<string>;
}

/** Something to be owned: a partition of a topic. */
export interface Assignable {
  readonly topic: string;
}

/** What an assignment is computed from. */
export interface AssignmentInput<TMember extends Candidate, TPartition extends Assignable> {
  /** In order of joining. */
  readonly members: readonly TMember[];
  readonly partitions: readonly TPartition[];
  /** Who has a partition now; asked only for members of the group. */
  readonly ownerOf: (partition: TPartition) => TMember | undefined;
}

/**
 * Decide who should own which partition: each goes to a member that wants its topic, members get as equal numbers as
 * their topics allow, and as few partitions as possible change their owner. Same input, same answer.
 */
export function assignPartitions<TMember extends Candidate, TPartition extends Assignable>(
  input: AssignmentInput<TMember, TPartition>,
): ReadonlyMap<TPartition, TMember> {
  const owned = new Map<TMember, TPartition[]>(input.members.map((member) => [member, []]));
  const homeless: TPartition[] = [];
  for (const partition of input.partitions) {
    const owner = input.ownerOf(partition);
    const kept =
      owner !== undefined && owner.topics.has(partition.topic) ? owned.get(owner) : undefined;
    (kept ?? homeless).push(partition);
  }
  for (const partition of homeless) leastLoaded(owned, partition)?.push(partition);
  while (moveOne(owned));
  const assignment = new Map<TPartition, TMember>();
  for (const [member, partitions] of owned)
    for (const partition of partitions) assignment.set(partition, member);
  return assignment;
}

function leastLoaded<TMember extends Candidate, TPartition extends Assignable>(
  owned: ReadonlyMap<TMember, TPartition[]>,
  { topic }: TPartition,
): TPartition[] | undefined {
  let least: TPartition[] | undefined;
  for (const [member, partitions] of owned) {
    if (member.topics.has(topic) && (least === undefined || partitions.length < least.length))
      least = partitions;
  }
  return least;
}

/**
 * Move one partition from a member to one that has at least two fewer, preferably of a topic that the first has most of
 * in comparison; `false` when no such move is left.
 */
function moveOne<TMember extends Candidate, TPartition extends Assignable>(
  owned: ReadonlyMap<TMember, TPartition[]>,
): boolean {
  const richestFirst = [...owned.values()].toSorted((left, right) => right.length - left.length);
  for (const rich of richestFirst) {
    let best: Move<TPartition> | undefined;
    for (const partition of onePerTopic(rich)) {
      const poor = leastLoaded(owned, partition);
      if (poor === undefined || poor.length + 2 > rich.length) continue;
      const surplus = countOf(rich, partition) - countOf(poor, partition);
      if (best === undefined || surplus > best.surplus) best = { partition, poor, surplus };
    }
    if (best === undefined) continue;
    rich.splice(rich.indexOf(best.partition), 1);
    best.poor.push(best.partition);
    return true;
  }
  return false;
}

interface Move<TPartition> {
  readonly partition: TPartition;
  readonly poor: TPartition[];
  readonly surplus: number;
}

/** The last partition of each topic. */
function onePerTopic<TPartition extends Assignable>(
  partitions: readonly TPartition[],
): Iterable<TPartition> {
  return new Map(partitions.map((partition) => [partition.topic, partition])).values();
}

function countOf<TPartition extends Assignable>(
  partitions: readonly TPartition[],
  { topic }: TPartition,
): number {
  return partitions.filter((partition) => partition.topic === topic).length;
}
