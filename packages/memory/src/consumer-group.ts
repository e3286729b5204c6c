import { BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import { assignPartitions } from "./assign-partitions.ts";
import type { PartitionLog } from "./partition-log.ts";

/** A member of a group, as its coordinator sees it. */
export interface GroupMember {
  readonly id: string;
  readonly sessionTimeoutMs: number;
  readonly topics: ReadonlySet<string>;
  /** Another member joined, left or changed its topics. */
  rebalancing(): void;
  /** What `rebalancing` told of is over, also for a member whose partitions stay the same. */
  rebalanced(): void;
  assign(ownerships: readonly Ownership[]): void;
  /** Drain, commit and give up; resolves when nothing of these partitions is used any more. */
  revoke(ownerships: readonly Ownership[]): Promise<void>;
  /** These partitions have been taken away; whatever is done with them from now on is void. */
  lose(ownerships: readonly Ownership[]): void;
}

/** A member's right to one partition. It fences: only the current ownership of a partition can commit. */
export class Ownership {
  readonly log: PartitionLog;
  readonly member: GroupMember;
  /** Whether the member has been asked to give it up. */
  isRevoking = false;

  constructor(log: PartitionLog, member: GroupMember) {
    this.log = log;
    this.member = member;
  }
}

/** One group on the broker: members, who owns which partition, and committed offsets. */
export class ConsumerGroup {
  readonly name: string;
  readonly #clock: Clock;
  readonly #logsOf: (topic: string) => readonly PartitionLog[];
  readonly #members = new Set<GroupMember>();
  readonly #owners = new Map<PartitionLog, Ownership>();
  readonly #committed = new WeakMap<PartitionLog, number>();
  readonly #sessions = new Map<GroupMember, () => void>();
  readonly #stableWaiters: (() => void)[] = [];
  /** Members that know of a change, and have not been told that it is over. */
  readonly #told = new Set<GroupMember>();

  /** @param logsOf - The partitions of a topic; none when it does not exist. */
  constructor(name: string, clock: Clock, logsOf: (topic: string) => readonly PartitionLog[]) {
    this.name = name;
    this.#clock = clock;
    this.#logsOf = logsOf;
  }

  get members(): readonly GroupMember[] {
    return [...this.#members];
  }

  has(member: GroupMember): boolean {
    return this.#members.has(member);
  }

  committed(log: PartitionLog): number | undefined {
    return this.#committed.get(log);
  }

  ownedBy(member: GroupMember): readonly Ownership[] {
    return [...this.#owners.values()].filter((ownership) => ownership.member === member);
  }

  /** Add a member; resolves when it has what it should own. */
  join(member: GroupMember): Promise<void> {
    this.#tellOthers(member);
    this.#members.add(member);
    this.reconcile();
    return this.#stable();
  }

  /** A member's `topics` are others than before; it has given up what it owned of those that are gone. */
  topicsChanged(member: GroupMember): Promise<void> {
    if (!this.has(member)) return Promise.resolve();
    for (const other of this.#members) this.#tell(other);
    const unwanted = this.ownedBy(member).filter(({ log }) => !member.topics.has(log.topic));
    for (const { log } of unwanted) this.#owners.delete(log);
    this.reconcile();
    return this.#stable();
  }

  /** Remove a member that has given up everything. */
  leave(member: GroupMember): void {
    this.alive(member);
    if (!this.#members.delete(member)) return;
    for (const { log } of this.ownedBy(member)) this.#owners.delete(log);
    this.#tellOthers(member);
    this.reconcile();
  }

  /** Nothing is heard of a member: it is expelled after its session timeout. */
  suspect(member: GroupMember): void {
    if (!this.has(member) || this.#sessions.has(member)) return;
    this.#sessions.set(
      member,
      this.#clock.schedule(() => this.expel(member), member.sessionTimeoutMs),
    );
  }

  /** A suspected member is heard of again. */
  alive(member: GroupMember): void {
    this.#sessions.get(member)?.();
    this.#sessions.delete(member);
  }

  /** Remove a member that did not leave by itself. */
  expel(member: GroupMember): void {
    const lost = this.ownedBy(member);
    this.alive(member);
    if (!this.#members.delete(member)) return;
    this.#take(lost);
    this.#tellOthers(member);
    this.reconcile();
  }

  /** Take partitions away without asking; the member stays and may get them again. */
  takeAway(ownerships: readonly Ownership[]): void {
    this.#take(ownerships);
    this.reconcile();
  }

  /**
   * Commit the next offset to consume.
   *
   * @throws BusTransportError `BUS_FENCED` when the partition has another owner by now.
   */
  commit(ownership: Ownership, position: number): void {
    const { log } = ownership;
    if (this.#owners.get(log) !== ownership) {
      throw new BusTransportError(
        "BUS_FENCED",
        `${log.topic}/${log.partition} is not owned by ${ownership.member.id} any more`,
        {
          details: { group: this.name, topic: log.topic, partition: log.partition },
        },
      );
    }
    this.#committed.set(log, position);
  }

  /** A topic is gone, and what was committed with it: take its partitions away. */
  forget(logs: readonly PartitionLog[]): void {
    this.#take(logs.flatMap((log) => this.#owners.get(log) ?? []));
    this.reconcile();
  }

  /** Bring ownership in line with what members want: revoke what should move, hand out what is free. */
  reconcile(): void {
    const target = assignPartitions({
      members: this.members,
      partitions: this.#wantedLogs(),
      ownerOf: (log) => this.#stayingOwner(log),
    });
    const leaving = [...this.#owners.values()].filter(
      (owner) => !owner.isRevoking && target.get(owner.log) !== owner.member,
    );
    for (const [member, ownerships] of byMember(leaving)) void this.#revoke(member, ownerships);
    const free = [...target].filter(([log]) => !this.#owners.has(log));
    const given = free.map(([log, member]) => new Ownership(log, member));
    for (const ownership of given) this.#owners.set(ownership.log, ownership);
    for (const [member, ownerships] of byMember(given)) {
      this.#told.delete(member);
      member.assign(ownerships);
    }
    if (this.#isMoving()) return;
    for (const member of this.#told) if (this.has(member)) member.rebalanced();
    this.#told.clear();
    for (const resolve of this.#stableWaiters.splice(0)) resolve();
  }

  async #revoke(member: GroupMember, ownerships: readonly Ownership[]): Promise<void> {
    for (const ownership of ownerships) ownership.isRevoking = true;
    await member.revoke(ownerships);
    // By now the member may have been expelled, and the partition may have another owner.
    const given = ownerships.filter((ownership) => this.#owners.get(ownership.log) === ownership);
    for (const { log } of given) this.#owners.delete(log);
    this.reconcile();
  }

  #take(ownerships: readonly Ownership[]): void {
    for (const { log } of ownerships) this.#owners.delete(log);
    for (const [member, lost] of byMember(ownerships)) {
      this.#told.add(member);
      member.lose(lost);
    }
  }

  #stayingOwner(log: PartitionLog): GroupMember | undefined {
    const ownership = this.#owners.get(log);
    return ownership === undefined || ownership.isRevoking ? undefined : ownership.member;
  }

  #wantedLogs(): readonly PartitionLog[] {
    const topics = new Set(this.members.flatMap((member) => [...member.topics]));
    return [...topics].toSorted().flatMap((topic) => this.#logsOf(topic));
  }

  #isMoving(): boolean {
    return [...this.#owners.values()].some(({ isRevoking }) => isRevoking);
  }

  #stable(): Promise<void> {
    if (!this.#isMoving()) return Promise.resolve();
    return new Promise((resolve) => this.#stableWaiters.push(resolve));
  }

  #tellOthers(member: GroupMember): void {
    for (const other of this.#members) if (other !== member) this.#tell(other);
  }

  #tell(member: GroupMember): void {
    this.#told.add(member);
    member.rebalancing();
  }
}

function byMember(
  ownerships: readonly Ownership[],
): ReadonlyMap<GroupMember, readonly Ownership[]> {
  const grouped = new Map<GroupMember, Ownership[]>();
  for (const ownership of ownerships) {
    const known = grouped.get(ownership.member);
    if (known === undefined) grouped.set(ownership.member, [ownership]);
    else known.push(ownership);
  }
  return grouped;
}
