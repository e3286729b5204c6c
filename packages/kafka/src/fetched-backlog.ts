import type { FetchedRecords, RecordWalk } from "./kafka-driver.ts";
import type { PartitionBooks } from "./partition-books.ts";

/** Who makes deliveries of what is walked. */
export interface BacklogReader {
  /** Deliver the record at which the walk stands; `false` while it must wait. */
  take(records: RecordWalk, books: PartitionBooks): boolean;
  /** Records were passed over because they had been received before. */
  duplicates(count: number): void;
  /** A fetch has been walked to its end. */
  walked(books: PartitionBooks): void;
  /** The record after the last one taken cannot be read; the rest of the backlog is forgotten. */
  broken(cause: unknown, books: PartitionBooks): void;
}

/** What was fetched of a partition and not delivered yet, in the order of the fetches. */
export class FetchedBacklog {
  readonly #fetched: FetchedRecords[] = [];
  readonly #reader: BacklogReader;
  #next: number | undefined;

  constructor(reader: BacklogReader) {
    this.#reader = reader;
  }

  /** Where fetching goes on; `undefined` while that is for the group's offset to say. */
  get next(): number | undefined {
    return this.#next;
  }

  add(fetched: FetchedRecords): void {
    this.#next = Math.max(this.#next ?? 0, fetched.nextPosition);
    this.#fetched.push(fetched);
  }

  /** Forget everything; fetching goes on at `next`. */
  clear(next?: number): void {
    this.#fetched.length = 0;
    this.#next = next;
  }

  /** Walk on. @returns Whether everything has been walked. */
  walk(books: PartitionBooks): boolean {
    for (let fetched = this.#fetched[0]; fetched !== undefined; fetched = this.#fetched[0]) {
      // Nothing is left behind a record that cannot be read.
      if (!this.#walkOne(fetched.records, books)) return this.#fetched.length === 0;
      books.advance(fetched.nextPosition);
      this.#fetched.shift();
      this.#reader.walked(books);
    }
    return true;
  }

  /** @returns Whether the walk has come to its end. */
  #walkOne(records: RecordWalk, books: PartitionBooks): boolean {
    let duplicates = 0;
    let isReadable = true;
    while (isReadable && records.offset >= 0) {
      if (records.offset < books.received) duplicates += 1;
      else if (!this.#reader.take(records, books)) break;
      isReadable = this.#step(records, books);
    }
    if (duplicates > 0) this.#reader.duplicates(duplicates);
    return isReadable && records.offset < 0;
  }

  #step(records: RecordWalk, books: PartitionBooks): boolean {
    try {
      records.next();
      return true;
    } catch (error) {
      this.clear(books.received);
      this.#reader.broken(error, books);
      return false;
    }
  }
}
