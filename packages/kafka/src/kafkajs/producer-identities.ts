import type { Clock } from "@bus/core";
import { backOffMs } from "@bus/core/adapter";
import type { ProducerIdentity } from "./produce-request.ts";

const BACK_OFF = Object.freeze({ baseMs: 100, maxMs: 3_000, jitter: 0.2 });

/** What producer identities are got from. */
export interface ProducerIdentitiesParts {
  readonly clock: Clock;
  readonly random: () => number;
  /** Ask the cluster for a new one. */
  readonly fetch: () => Promise<ProducerIdentity>;
  /** `other` may have something now. */
  readonly onReady: () => void;
  readonly onFailed: (error: unknown) => void;
}

/**
 * Identities of an idempotent producer. All partitions begin with the same; one that the broker disowns in a partition
 * is replaced there by a new one, which later replacements share.
 */
export class ProducerIdentities {
  readonly #parts: ProducerIdentitiesParts;
  #current: ProducerIdentity | undefined;
  #isFetching = false;
  #isClosed = false;
  #attempt = 0;
  #cancelRetry = (): void => undefined;

  constructor(parts: ProducerIdentitiesParts) {
    this.#parts = parts;
  }

  /** Get the first one. Rejects when the cluster refuses. */
  async open(): Promise<void> {
    this.#current ??= await this.#parts.fetch();
  }

  /** An identity other than a retired one; `undefined` while it has to be fetched, then `onReady` is called. */
  other(retired: ProducerIdentity | undefined): ProducerIdentity | undefined {
    if (this.#current !== undefined && this.#current !== retired) return this.#current;
    if (!this.#isFetching && !this.#isClosed) void this.#fetch();
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
  }

  async #fetch(): Promise<void> {
    const { fetch, onReady, onFailed, clock, random } = this.#parts;
    this.#isFetching = true;
    try {
      this.#current = await fetch();
      this.#attempt = 0;
      this.#isFetching = false;
      if (!this.#isClosed) onReady();
    } catch (error) {
      if (this.#isClosed) return;
      this.#attempt += 1;
      onFailed(error);
      this.#cancelRetry = clock.schedule(
        () => void this.#fetch(),
        backOffMs(this.#attempt, BACK_OFF, random),
      );
    }
  }
}
