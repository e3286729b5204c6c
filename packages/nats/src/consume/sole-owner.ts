import type { Lease, LeasedTopic, LeaseListener } from "../leases/lease-contract.ts";
import type { PartitionLeasing } from "./partition-member.ts";

/** What a sole owner needs. */
export interface SoleOwnerParts {
  readonly listener: LeaseListener;
  /** Nothing of the partition is wanted any more. */
  readonly discard: (lease: Lease) => Promise<void>;
}

/** All partitions for one process, without leases: for a group that nobody else joins and nobody comes back to. */
export class SoleOwner implements PartitionLeasing {
  readonly #parts: SoleOwnerParts;
  readonly #owned = new Map<string, Lease>();
  #topics: readonly LeasedTopic[] = [];
  #isStarted = false;

  constructor(parts: SoleOwnerParts) {
    this.#parts = parts;
  }

  start(): Promise<void> {
    this.#isStarted = true;
    void this.#apply();
    return Promise.resolve();
  }

  setTopics(topics: readonly LeasedTopic[]): void {
    this.#topics = topics;
    if (this.#isStarted) void this.#apply();
  }

  async close(): Promise<void> {
    this.#topics = [];
    await this.#apply();
  }

  async #apply(): Promise<void> {
    const wanted = new Map<string, Lease>();
    for (const { topic, partitions } of this.#topics)
      for (let partition = 0; partition < partitions; partition += 1)
        wanted.set(`${topic}/${partition}`, { topic, partition, epoch: 1, floor: undefined });
    const leaving = [...this.#owned].filter(([key]) => !wanted.has(key));
    for (const [key, lease] of wanted) {
      if (this.#owned.has(key)) continue;
      this.#owned.set(key, lease);
      this.#parts.listener.acquired(lease);
    }
    await Promise.all(leaving.map(([key, lease]) => this.#giveUp(key, lease)));
  }

  async #giveUp(key: string, lease: Lease): Promise<void> {
    this.#owned.delete(key);
    await this.#parts.listener.revoked(lease);
    // The server forgets it by itself, should this fail.
    await this.#parts.discard(lease).catch((error: unknown) => this.#parts.listener.failed(error));
  }
}
