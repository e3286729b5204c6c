import type { Clock } from "@bus/core";
import type { LeasedTopic } from "./lease-contract.ts";
import { memberKey, readMember, writeMember } from "./lease-records.ts";
import type { LeaseStore, StoredEntry } from "./lease-store.ts";

/** Share of the expiry after which a member that could not renew counts itself out, before others may. */
const OWN_EXPIRY_SHARE = 0.8;
/** Renewals whose outcome is open that are remembered. */
const OPEN_RENEWALS = 16;

/** What a membership needs. */
export interface MembershipParts {
  readonly group: string;
  readonly id: string;
  readonly clock: Clock;
  readonly store: LeaseStore;
  readonly expireMs: number;
  /** The record was written. */
  readonly wrote: (entry: StoredEntry) => void;
}

/**
 * One life of a member: a record that it renews. The record is renewed with compare-and-set, so whoever deletes it
 * at the revision that was silent for too long ends this life for certain, however late that is noticed here. And it counts itself
 * as dead by its own clock before anybody may do so.
 */
export class Membership {
  readonly id: string;
  readonly #parts: MembershipParts;
  readonly #key: string;
  /** When renewals were begun whose outcome is open, by beat. */
  readonly #open = new Map<number, number>();
  #revision = 0;
  #beat = 0;
  /** When the newest renewal was begun that is known to have been written. */
  #aliveFromMs: number | undefined;
  #isEvicted = false;
  #renewing: Promise<void> | undefined;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.#key = memberKey(parts.group, parts.id);
  }

  /** Whether others leave this member's partitions alone, for certain. */
  get isAlive(): boolean {
    const { clock, expireMs } = this.#parts;
    return (
      !this.#isEvicted &&
      this.#aliveFromMs !== undefined &&
      clock.monotonicMs() - this.#aliveFromMs < expireMs * OWN_EXPIRY_SHARE
    );
  }

  /** Whether this life has ended: it never comes back. */
  get isOver(): boolean {
    return this.#isEvicted || (this.isJoined && !this.isAlive);
  }

  /** Whether the record was ever written. */
  get isJoined(): boolean {
    return this.#aliveFromMs !== undefined;
  }

  /** Milliseconds since the newest renewal began; infinite before the first. */
  get ageMs(): number {
    return this.#aliveFromMs === undefined
      ? Infinity
      : this.#parts.clock.monotonicMs() - this.#aliveFromMs;
  }

  /** Write the record anew. One at a time: a call during another joins it. @throws what the store throws; try again. */
  renew(topics: readonly LeasedTopic[]): Promise<void> {
    if (this.#isEvicted) return Promise.resolve();
    this.#renewing ??= this.#renew(topics).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** The record was seen to be deleted, by somebody else. */
  evicted(): void {
    this.#isEvicted = true;
  }

  /** Delete the record: others may take what this member had at once. @throws what the store throws. */
  async leave(): Promise<void> {
    this.#isEvicted = true;
    const { store } = this.#parts;
    // What it writes has to be known, or the record would outlive its deletion.
    await this.#renewing?.catch(() => undefined);
    if (this.#revision === 0 || (await store.remove(this.#key, this.#revision))) return;
    const entry = await store.read(this.#key);
    if (entry?.value !== undefined) await store.remove(this.#key, entry.revision);
  }

  async #renew(topics: readonly LeasedTopic[]): Promise<void> {
    const { clock, store } = this.#parts;
    this.#beat += 1;
    const beat = this.#beat;
    this.#remember(beat, clock.monotonicMs());
    const value = writeMember({ beat, topics });
    const revision = await store.write(this.#key, value, this.#revision);
    if (revision === undefined) await this.#lookUp();
    else this.#wrote(beat, { key: this.#key, value, revision });
  }

  #remember(beat: number, nowMs: number): void {
    this.#open.set(beat, nowMs);
    for (const old of this.#open.keys()) if (old <= beat - OPEN_RENEWALS) this.#open.delete(old);
  }

  #wrote(beat: number, entry: StoredEntry): void {
    this.#revision = entry.revision;
    this.#aliveFromMs = Math.max(this.#aliveFromMs ?? -Infinity, this.#open.get(beat) ?? -Infinity);
    for (const old of this.#open.keys()) if (old <= beat) this.#open.delete(old);
    this.#parts.wrote(entry);
  }

  /** The record is not at the revision we know: an earlier renewal was written after all, or somebody ended us. */
  async #lookUp(): Promise<void> {
    const entry = await this.#parts.store.read(this.#key);
    if (entry?.value === undefined) this.#isEvicted = true;
    else if (entry.revision > this.#revision) this.#wrote(readMember(entry.value).beat, entry);
  }
}
