import type { Clock } from "@bus/core";
import { wait } from "@bus/core/adapter";
import type { ResolvedLeaseOptions } from "../nats-options.ts";
import type { Lease, LeasedTopic, LeaseListener } from "./lease-contract.ts";
import { LeaseActions } from "./lease-actions.ts";
import { groupPrefix, memberKey } from "./lease-records.ts";
import type { LeaseStore, StoredEntry } from "./lease-store.ts";
import { LeaseView } from "./lease-view.ts";
import type { SeenPartition } from "./lease-view.ts";
import { Membership } from "./membership.ts";
import { planLeases } from "./plan-leases.ts";

/** How often a member looks whether there is something to do, as a share of the renewals. */
const TICKS_PER_RENEWAL = 5;
/** Tries to give a partition back while closing; then it is left to expire. */
const LAST_TRIES = 3;

/** What leases of a group need. */
export interface PartitionLeasesParts {
  readonly group: string;
  /** Unlike that of any other process. Letters, digits, `-` and `_`. */
  readonly id: string;
  readonly clock: Clock;
  readonly store: LeaseStore;
  readonly options: ResolvedLeaseOptions;
  readonly listener: LeaseListener;
}

interface Held {
  readonly lease: Lease;
  readonly key: string;
  readonly revision: number;
  isLeaving: boolean;
}

/**
 * This process's share of the partitions of a group.
 *
 * Every process renews one record that says that it lives and what it subscribes. A partition's record names its owner and the
 * epoch; it is written only when the partition changes hands, with compare-and-set, and it is free when its owner gave
 * it back or has no record of life. The record of a silent process is deleted with compare-and-set too: that
 * fails when the process has renewed it, and ends the process's ownership for certain when it has not. No clocks are compared.
 */
export class PartitionLeases {
  readonly #parts: PartitionLeasesParts;
  readonly #view: LeaseView;
  readonly #actions: LeaseActions;
  readonly #held = new Map<string, Held>();
  /** The newest epoch of each partition that began here: none begins twice, whatever a late read says. */
  readonly #begun = new Map<string, number>();
  #membership: Membership;
  #lives = 0;
  #topics: readonly LeasedTopic[] = [];
  #isClosing = false;
  #isPlanning = false;
  #isPlanStale = false;
  #stopWatching: (() => void) | undefined;
  #cancelTick: (() => void) | undefined;
  readonly #releases = new Set<Promise<void>>();
  #closed: Promise<void> | undefined;

  constructor(parts: PartitionLeasesParts) {
    this.#parts = parts;
    this.#view = new LeaseView(parts.group);
    const { group, store, clock } = parts;
    const observe = (entry: StoredEntry): boolean => this.#observe(entry);
    this.#actions = new LeaseActions({ group, store, clock, view: this.#view, observe });
    this.#membership = this.#newLife();
  }

  /** Join: resolves when this process is known to the others. @throws what the store throws. */
  async start(): Promise<void> {
    const { group, store } = this.#parts;
    await new Promise<void>((resolve, reject) => {
      store
        .watch(groupPrefix(group), { changed: (entry) => this.#changed(entry), ready: resolve })
        .then((stop) => {
          if (this.#isClosing) stop();
          else this.#stopWatching = stop;
        }, reject);
    });
    await this.#membership.renew(this.#topics);
    if (this.#isClosing) return;
    this.#tickLater();
    await this.#plan();
  }

  /** The topics whose partitions this process wants a share of; those of others are handed over. */
  setTopics(topics: readonly LeasedTopic[]): void {
    this.#topics = topics;
    if (!this.#membership.isJoined || this.#isClosing) return;
    void this.#renew().then(async () => await this.#plan());
  }

  /** Whether the partition is ours now, for certain: false as soon as others may take it. */
  owns(lease: Lease): boolean {
    return (
      this.#membership.isAlive && [...this.#held.values()].some((held) => held.lease === lease)
    );
  }

  /** Give up everything, each partition after `revoked` has settled, and leave. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    for (const held of this.#held.values()) this.#release(held);
    await Promise.all(this.#releases);
    this.#cancelTick?.();
    this.#stopWatching?.();
    await this.#leave();
  }

  #newLife(): Membership {
    const { group, id, clock, store, options } = this.#parts;
    this.#lives += 1;
    return new Membership({
      group,
      id: `${id}-${this.#lives}`,
      clock,
      store,
      expireMs: options.expireMs,
      wrote: (entry) => this.#observe(entry),
    });
  }

  #changed(entry: StoredEntry): void {
    const { key, value } = entry;
    if (!this.#observe(entry)) return;
    if (key === memberKey(this.#parts.group, this.#membership.id) && value === undefined)
      this.#membership.evicted();
    this.#checkLife();
    void this.#plan();
  }

  #observe(entry: StoredEntry): boolean {
    let isNews = false;
    try {
      isNews = this.#view.observe(entry, this.#parts.clock.monotonicMs());
    } catch (error) {
      // Somebody else wrote into the bucket; what it was is not ours to mend.
      this.#parts.listener.failed(error);
    }
    const seen = this.#view.partitions.get(entry.key);
    const held = this.#held.get(entry.key);
    if (held !== undefined && seen !== undefined && seen.epoch > held.lease.epoch) this.#lose(held);
    return isNews;
  }

  #tickLater(): void {
    const { clock, options } = this.#parts;
    this.#cancelTick = clock.schedule(() => {
      this.#tickLater();
      this.#checkLife();
      if (this.#membership.ageMs >= options.renewMs)
        void this.#renew().then(async () => await this.#plan());
      else void this.#plan();
    }, options.renewMs / TICKS_PER_RENEWAL);
  }

  async #renew(): Promise<void> {
    try {
      await this.#membership.renew(this.#topics);
    } catch (error) {
      this.#parts.listener.failed(error);
    }
    this.#checkLife();
  }

  /** Others may have taken everything: stop before they begin, and come back as somebody new. */
  #checkLife(): void {
    const former = this.#membership;
    if (!former.isOver) return;
    this.#membership = this.#newLife();
    for (const held of this.#held.values()) this.#lose(held);
    former.leave().catch((error: unknown) => this.#parts.listener.failed(error));
  }

  #lose(held: Held): void {
    if (!this.#held.delete(held.key)) return;
    this.#parts.listener.lost(held.lease);
  }

  /** Do what there is to do; once more when something changes meanwhile. */
  async #plan(): Promise<void> {
    this.#isPlanStale = true;
    if (this.#isPlanning) return;
    this.#isPlanning = true;
    try {
      while (this.#isPlanStale && this.#membership.isAlive && !this.#isClosing) {
        this.#isPlanStale = false;
        await this.#planOnce(this.#membership);
      }
    } catch (error) {
      // The next tick tries again.
      this.#parts.listener.failed(error);
    } finally {
      this.#isPlanning = false;
    }
  }

  async #planOnce(membership: Membership): Promise<void> {
    const { group, clock, options } = this.#parts;
    const all = [...this.#held.values()];
    const { evict, claim, release } = planLeases({
      group,
      view: this.#view,
      me: membership.id,
      topics: this.#topics,
      held: new Set(all.filter(({ isLeaving }) => !isLeaving).map(({ key }) => key)),
      leaving: new Set(all.filter(({ isLeaving }) => isLeaving).map(({ key }) => key)),
      nowMs: clock.monotonicMs(),
      expireMs: options.expireMs,
    });
    for (const key of release) {
      const held = this.#held.get(key);
      if (held !== undefined) this.#release(held);
    }
    for (const member of evict) await this.#actions.evict(member);
    const [first] = claim;
    this.#isPlanStale ||= evict.length > 0 || first !== undefined;
    if (first === undefined) return await this.#adopt(membership);
    const outcome = await this.#actions.claim(first, membership.id);
    if (outcome === "behind") this.#isPlanStale = false;
    else if (outcome !== "learnt") this.#begin(outcome, membership);
  }

  /**
   * A record names this life, and nothing here knows of it: a claim whose outcome was open has come true, or giving back
   * did, and was not seen.
   */
  async #adopt(membership: Membership): Promise<void> {
    for (const { owner, key } of this.#view.partitions.values()) {
      if (owner !== membership.id || this.#held.has(key)) continue;
      if (await this.#actions.look(key)) this.#isPlanStale = true;
      const now = this.#view.partitions.get(key);
      if (now?.owner === membership.id) this.#begin(now, membership);
    }
  }

  #begin(seen: SeenPartition, membership: Membership): void {
    // What comes after this life has ended is for the others.
    if (membership !== this.#membership || !membership.isAlive) return;
    const { key, topic, partition, epoch, floor, revision } = seen;
    if (epoch <= (this.#begun.get(key) ?? 0)) return;
    if (this.#view.partitions.get(key)?.epoch !== epoch) return;
    this.#begun.set(key, epoch);
    const lease: Lease = Object.freeze({ topic, partition, epoch, floor });
    const held: Held = { lease, key, revision, isLeaving: false };
    this.#held.set(key, held);
    this.#parts.listener.acquired(lease);
    if (this.#isClosing) this.#release(held);
  }

  #release(held: Held): void {
    if (held.isLeaving) return;
    held.isLeaving = true;
    const release = this.#handOver(held).finally(() => {
      this.#releases.delete(release);
      void this.#plan();
    });
    this.#releases.add(release);
  }

  async #handOver(held: Held): Promise<void> {
    const { listener } = this.#parts;
    let { floor } = held.lease;
    try {
      floor = (await listener.revoked(held.lease)) ?? floor;
    } catch (error) {
      listener.failed(error);
    }
    for (let tries = 1; this.#held.get(held.key) === held; tries += 1) {
      if (this.#isClosing && tries > LAST_TRIES) return;
      if (await this.#giveBack(held, floor)) return;
    }
  }

  /** @returns Whether there is nothing more to do. */
  async #giveBack(held: Held, floor: number | undefined): Promise<boolean> {
    const { clock, options, listener } = this.#parts;
    try {
      await this.#actions.giveBack(held, floor);
      this.#held.delete(held.key);
      return true;
    } catch (error) {
      listener.failed(error);
    }
    await wait(clock, options.renewMs / TICKS_PER_RENEWAL);
    return false;
  }

  async #leave(): Promise<void> {
    try {
      await this.#membership.leave();
    } catch {
      // The others find out by themselves, when the record has been silent for long enough.
    }
  }
}
