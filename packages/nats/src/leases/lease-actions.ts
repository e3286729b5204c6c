import type { Clock } from "@bus/core";
import type { Lease } from "./lease-contract.ts";
import { memberKey, writePartition } from "./lease-records.ts";
import type { LeaseStore, StoredEntry } from "./lease-store.ts";
import type { LeaseView, SeenMember, SeenPartition } from "./lease-view.ts";

/** What actions need. */
export interface LeaseActionsParts {
  readonly group: string;
  readonly store: LeaseStore;
  readonly view: LeaseView;
  readonly clock: Clock;
  readonly observe: (entry: StoredEntry) => boolean;
}

/** What came of a claim: the record as written, or whether something was learnt by its failure. */
export type ClaimOutcome = SeenPartition | "behind" | "learnt";

/** What a member writes about others and about partitions: all of it with compare-and-set. Whatever the store throws comes through. */
export class LeaseActions {
  readonly #parts: LeaseActionsParts;

  constructor(parts: LeaseActionsParts) {
    this.#parts = parts;
  }

  /** End a member that was silent for too long, if it still is. */
  async evict({ id, revision }: SeenMember): Promise<void> {
    const { group, store, view, clock, observe } = this.#parts;
    const key = memberKey(group, id);
    const isRemoved = await store.remove(key, revision);
    const entry = isRemoved ? undefined : await store.read(key);
    if (entry === undefined) return view.removed(id);
    if (!observe(entry)) view.alive(id, clock.monotonicMs());
  }

  /** Take a partition that is free, as far as is known. */
  async claim(seen: SeenPartition, owner: string): Promise<ClaimOutcome> {
    const record = { owner, epoch: seen.epoch + 1, floor: seen.floor };
    const value = writePartition(record);
    const revision = await this.#parts.store.write(seen.key, value, seen.revision);
    if (revision === undefined) return (await this.look(seen.key)) ? "learnt" : "behind";
    this.#parts.observe({ key: seen.key, value, revision });
    return { ...seen, ...record, revision };
  }

  /** Write that a partition has no owner. Nothing is written when its record has changed: then it is not ours to give. */
  async giveBack(
    place: { key: string; revision: number; lease: Lease },
    floor: number | undefined,
  ): Promise<void> {
    const { key, revision: at, lease } = place;
    const value = writePartition({ owner: "", epoch: lease.epoch, floor });
    const revision = await this.#parts.store.write(key, value, at);
    if (revision === undefined) await this.look(key);
    else this.#parts.observe({ key, value, revision });
  }

  /** Read a key. @returns Whether it had news. */
  async look(key: string): Promise<boolean> {
    const entry = await this.#parts.store.read(key);
    return entry !== undefined && this.#parts.observe(entry);
  }
}
