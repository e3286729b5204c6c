import { BusTransportError } from "@bus/core";
import type { BusError, Clock, TopicPartition } from "@bus/core";
import { FetchedBacklog } from "./fetched-backlog.ts";
import type { BacklogReader } from "./fetched-backlog.ts";
import type { FetchedRecords } from "./kafka-driver.ts";
import type { UnreadableRange } from "./driver-options.ts";
import { NO_RECORDS } from "./no-records.ts";
import type { PartitionBooks } from "./partition-books.ts";
import { ReadTrouble } from "./read-trouble.ts";

/** Offsets from `from` to `to − 1`. */
export type OffsetRange = Pick<UnreadableRange, "from" | "to">;

/** Who hears of a reading. */
export interface ReadingListener extends Omit<BacklogReader, "broken"> {
  /** Records cannot be read; told once until they can. */
  stalled(error: BusError): void;
  /** What could not be read is to be read again, from this offset on, whatever was fetched since. */
  readAgain(offset: number): void;
  /** What could not be read has been. */
  recovered(): void;
  /** Offsets that could not be read are passed over, as was asked for. */
  skipped(range: OffsetRange): void;
  /** There is more to walk, or `isWaiting` is another. */
  changed(): void;
}

/** What a reading is made of. */
export interface PartitionReadingParts extends TopicPartition {
  readonly clock: Clock;
  readonly random: () => number;
  /** Offsets that may be passed over when they cannot be read. */
  readonly mayBeSkipped: readonly OffsetRange[];
  readonly listener: ReadingListener;
}

/**
 * The reading of one partition: what was fetched and not delivered yet. What cannot be read is read again from the same
 * offset after longer and longer waits, and passed over only where that was asked for.
 */
export class PartitionReading {
  readonly #parts: PartitionReadingParts;
  readonly #backlog: FetchedBacklog;
  readonly #trouble: ReadTrouble;

  constructor(parts: PartitionReadingParts) {
    this.#parts = parts;
    const { clock, random, mayBeSkipped, listener } = parts;
    this.#backlog = new FetchedBacklog({
      take: (records, books) => listener.take(records, books),
      duplicates: (count) => listener.duplicates(count),
      walked: (books) => listener.walked(books),
      broken: (cause, books) => this.fail(this.#corrupt(cause, books)),
    });
    const onRetry = (): void => this.again();
    this.#trouble = new ReadTrouble({ clock, random, mayBeSkipped, onRetry });
  }

  /** Where fetching goes on; `undefined` while that is for the group's offset to say. */
  get next(): number | undefined {
    return this.#backlog.next;
  }

  /** Why the partition cannot be read on from where it stands, and since when; `undefined` while it can. */
  get unreadable(): { readonly error: BusError; readonly sinceMs: number } | undefined {
    const { error, sinceMs } = this.#trouble;
    return error && { error, sinceMs };
  }

  /** Whether nothing is to be fetched now, because it could not be read lately. */
  get isWaiting(): boolean {
    return this.#trouble.isWaiting;
  }

  /** @returns Whether a fetch was taken: after one that could not be read, others may have been on their way. */
  add(fetched: FetchedRecords): boolean {
    if (this.#trouble.error !== undefined) {
      if (!this.#trouble.isEndedBy(fetched, this.next)) return false;
      this.#trouble.end();
      this.#parts.listener.recovered();
    }
    this.#backlog.add(fetched);
    this.#parts.listener.changed();
    return true;
  }

  /** Walk on. @returns Whether everything has been walked. */
  walk(books: PartitionBooks): boolean {
    return this.#backlog.walk(books);
  }

  /** What follows cannot be read: try again after a while. */
  fail(error: BusError): void {
    const isNew = this.#trouble.error === undefined;
    this.#trouble.failed(error);
    this.#parts.listener.changed();
    if (isNew) this.#parts.listener.stalled(error);
  }

  /** Read again what could not be read, now; nothing to do when all could. */
  again(): void {
    if (this.#trouble.error === undefined) return;
    this.#skip();
    if (this.next !== undefined) this.#parts.listener.readAgain(this.next);
    this.stopWaiting();
  }

  /** Whoever goes on with the partition reads again at once. */
  stopWaiting(): void {
    this.#trouble.stopWaiting();
    this.#parts.listener.changed();
  }

  /** Forget everything that was fetched, and where it stands. */
  forget(): void {
    this.#trouble.end();
    this.#backlog.clear();
  }

  #skip(): void {
    const from = this.next;
    const to = from === undefined ? undefined : this.#trouble.skipFrom(from);
    if (from === undefined || to === undefined) return;
    const { topic, partition, listener } = this.#parts;
    listener.skipped({ from, to });
    const nothing = { fetchedFrom: from, nextPosition: to, end: to, records: NO_RECORDS };
    this.add({ topic, partition, ...nothing });
  }

  #corrupt(cause: unknown, { received }: PartitionBooks): BusError {
    const { topic, partition } = this.#parts;
    const message = `records of ${topic}[${partition}] from offset ${received} on cannot be read`;
    return new BusTransportError("BUS_CORRUPT", message, { cause });
  }
}
