import { isDeepStrictEqual } from "node:util";
import type { TopicPartition } from "@bus/core";
import type { LeasedTopic } from "./lease-contract.ts";
import { readLeaseKey, readMember, readPartition } from "./lease-records.ts";
import type { PartitionRecord } from "./lease-records.ts";
import type { StoredEntry } from "./lease-store.ts";

/** A member as this process sees it. */
export interface SeenMember {
  readonly id: string;
  readonly revision: number;
  readonly topics: readonly LeasedTopic[];
  /** When its record was last seen to change, monotonic, by this process's own clock. */
  readonly changedAtMs: number;
}

/** A partition's record as this process sees it. */
export interface SeenPartition extends PartitionRecord, TopicPartition {
  readonly key: string;
  /** 0: there is none yet. */
  readonly revision: number;
}

/** What this process knows of the bucket. It may be behind: whoever acts on it does so with compare-and-set. */
export class LeaseView {
  readonly #group: string;
  readonly #members = new Map<string, SeenMember>();
  readonly #partitions = new Map<string, SeenPartition>();
  /** Newest revision seen of every key, deleted ones too. */
  readonly #revisions = new Map<string, number>();

  constructor(group: string) {
    this.#group = group;
  }

  get members(): ReadonlyMap<string, SeenMember> {
    return this.#members;
  }

  /** Records of partitions by key. */
  get partitions(): ReadonlyMap<string, SeenPartition> {
    return this.#partitions;
  }

  /** Take in what a watch, a read or an own write says. @returns Whether it is news: that a member lives on is none. */
  observe(entry: StoredEntry, nowMs: number): boolean {
    const { key, value, revision } = entry;
    if (revision <= (this.#revisions.get(key) ?? 0)) return false;
    const leaseKey = readLeaseKey(this.#group, key);
    if (leaseKey === undefined) return false;
    this.#revisions.set(key, revision);
    if (leaseKey.kind === "partition") {
      const { topic, partition } = leaseKey;
      if (value === undefined) this.#partitions.delete(key);
      else this.#partitions.set(key, { ...readPartition(value), topic, partition, key, revision });
      return true;
    }
    const { id } = leaseKey;
    if (value === undefined) return this.#members.delete(id);
    const before = this.#members.get(id);
    const { topics } = readMember(value);
    this.#members.set(id, { id, revision, topics, changedAtMs: nowMs });
    return before === undefined || !isDeepStrictEqual(before.topics, topics);
  }

  /** A member is gone: this process deleted its record. */
  removed(id: string): void {
    this.#members.delete(id);
  }

  /** A member lives although its change has not been seen yet. */
  alive(id: string, nowMs: number): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.#members.set(id, { ...member, changedAtMs: nowMs });
  }
}
