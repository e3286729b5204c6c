import type { Clock, TransportEvent } from "@bus/core";
import type { NatsLink } from "../client/nats-link.ts";
import type { OwnedPartition } from "./owned-partition.ts";

/** Longest time between a settlement and its acknowledgement. */
const COMMIT_INTERVAL_MS = 50;
const ANSWER_TIMEOUT_MS = 5_000;
const RETRY_AFTER_MS = 500;
const ACK = Buffer.from("+ACK");

/** What a committer needs. */
export interface AckCommitterParts {
  readonly group: string;
  readonly clock: Clock;
  readonly link: NatsLink;
  readonly emit: (event: TransportEvent) => void;
}

/** Acknowledges the positions of partitions, coalesced, each confirmed by the server. */
export class AckCommitter {
  readonly #parts: AckCommitterParts;
  readonly #dirty = new Set<OwnedPartition>();
  #cancel: (() => void) | undefined;
  #isFlushing = false;
  #isClosed = false;

  constructor(parts: AckCommitterParts) {
    this.#parts = parts;
  }

  /** There may be something new to acknowledge. */
  touch(partition: OwnedPartition): void {
    this.#dirty.add(partition);
    if (this.#cancel === undefined && !this.#isFlushing) this.#schedule(COMMIT_INTERVAL_MS);
  }

  /** Acknowledge now. @returns Whether the server confirmed everything that is settled. */
  async commit(partition: OwnedPartition): Promise<boolean> {
    const { books } = partition;
    const point = books?.ackPoint;
    if (books === undefined) return false;
    if (point === undefined || point.position <= books.committed)
      return books.committed >= books.position;
    await this.#parts.link.request(point.reply, ACK, ANSWER_TIMEOUT_MS);
    books.committed = Math.max(books.committed, point.position);
    return true;
  }

  /** Forget a partition that is not owned any more. */
  forget(partition: OwnedPartition): void {
    this.#dirty.delete(partition);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancel = this.#parts.clock.schedule(() => {
      this.#cancel = undefined;
      void this.#flush();
    }, delayMs);
  }

  async #flush(): Promise<void> {
    const { clock, emit, group, link } = this.#parts;
    if (!link.isConnected) return this.#schedule(RETRY_AFTER_MS);
    this.#isFlushing = true;
    const startedMs = clock.monotonicMs();
    const partitions = [...this.#dirty];
    this.#dirty.clear();
    const results = await Promise.allSettled(partitions.map((one) => this.commit(one)));
    let failure: unknown;
    for (const [index, result] of results.entries()) {
      const partition = partitions[index];
      if (result.status === "fulfilled" || partition === undefined || partition.isGone) continue;
      this.#dirty.add(partition);
      failure = result.reason;
    }
    this.#isFlushing = false;
    const durationMs = clock.monotonicMs() - startedMs;
    const confirmed = results.filter(({ status }) => status === "fulfilled").length;
    if (confirmed > 0) emit({ kind: "committed", group, durationMs, partitions: confirmed });
    if (failure !== undefined) emit({ kind: "commitFailed", group, error: failure });
    if (this.#dirty.size > 0)
      this.#schedule(failure === undefined ? COMMIT_INTERVAL_MS : RETRY_AFTER_MS);
  }
}
