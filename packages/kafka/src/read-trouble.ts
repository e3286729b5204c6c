import type { BusError, Clock } from "@bus/core";
import { backOffMs } from "@bus/core/adapter";
import type { FetchedRecords } from "./kafka-driver.ts";
import type { UnreadableRange } from "./driver-options.ts";

/** Waits between attempts to read on where a partition could not be read. */
const READ_AGAIN_BACK_OFF = Object.freeze({ baseMs: 1_000, maxMs: 60_000, jitter: 0.2 });

/** Reading is tried again at least once before anything is passed over. */
const SKIP_AFTER_ATTEMPTS = 2;

/** What a trouble needs. */
export interface ReadTroubleParts {
  readonly clock: Clock;
  readonly random: () => number;
  /** Offsets of the partition that may be passed over. */
  readonly mayBeSkipped: readonly Pick<UnreadableRange, "from" | "to">[];
  /** It is time to read again; whoever hears it calls `stopWaiting`. */
  readonly onRetry: () => void;
}

/** That a partition cannot be read on from where it stands, and when it is tried again. */
export class ReadTrouble {
  readonly #parts: ReadTroubleParts;
  #error: BusError | undefined;
  #sinceMs = 0;
  #attempts = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: ReadTroubleParts) {
    this.#parts = parts;
  }

  /** Why the partition cannot be read; `undefined` while it can. */
  get error(): BusError | undefined {
    return this.#error;
  }

  /** Since when, milliseconds since the Unix epoch. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Whether the next attempt has to wait. */
  get isWaiting(): boolean {
    return this.#cancelRetry !== undefined;
  }

  /** Reading has failed (again). What fails while the next attempt waits is of the attempt before. */
  failed(error: BusError): void {
    const { clock, random, onRetry } = this.#parts;
    if (this.#error === undefined) this.#sinceMs = clock.now();
    this.#error = error;
    if (this.isWaiting) return;
    this.#attempts += 1;
    const delayMs = backOffMs(this.#attempts, READ_AGAIN_BACK_OFF, random);
    this.#cancelRetry = clock.schedule(onRetry, delayMs);
  }

  /** Whether a fetch ends the trouble: it goes on at `expected`, and brings something. Others may have been on their way. */
  isEndedBy({ fetchedFrom, nextPosition }: FetchedRecords, expected: number | undefined): boolean {
    const from = expected ?? fetchedFrom;
    return fetchedFrom <= from && nextPosition > from;
  }

  /** Where to go on in place of an offset that cannot be read; `undefined` when that is not to be passed over (yet). */
  skipFrom(offset: number): number | undefined {
    if (this.#attempts < SKIP_AFTER_ATTEMPTS) return undefined;
    return this.#parts.mayBeSkipped.find(({ from, to }) => from <= offset && offset < to)?.to;
  }

  /** Wait no longer: whoever goes on tries at once. */
  stopWaiting(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  /** The partition can be read. */
  end(): void {
    this.stopWaiting();
    this.#error = undefined;
    this.#attempts = 0;
  }
}
