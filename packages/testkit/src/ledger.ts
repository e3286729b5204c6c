import { readDrained } from "./ledger-drained.ts";
import type { DrainedQuery } from "./ledger-drained.ts";
import { createFindings } from "./ledger-finding.ts";
import type { Finding, LedgerEntry } from "./ledger-finding.ts";

/** One run of a handler, as the ledger sees it. */
export interface LedgerRun {
  /** The handler succeeded. */
  done(): void;
  /** The handler ended otherwise: it threw, was aborted, or its process is gone. */
  failed(): void;
}

/** What the books say. Nothing is deduplicated before it is counted. */
export interface LedgerVerdict {
  readonly published: number;
  /** Messages whose handler succeeded at least once. */
  readonly handled: number;
  /** Published, never handled with success. */
  readonly lost: Finding;
  /** Runs of a message that another run had handled before; one that fails and is tried again counts once. */
  readonly duplicated: Finding;
  /** Runs that began while the first unhandled message of their key was an earlier one and not running. */
  readonly disordered: Finding;
  /** Runs that began while another run of their key had not ended. */
  readonly overlapped: Finding;
  /** Partitions whose committed offset is not their end, or unknown; `undefined` when no lag was asked for. */
  readonly drained: Finding | undefined;
}

/** Books of what one group should handle and what it did handle. */
export interface Ledger {
  /** Note that the broker has accepted a message; before or after it is handled. */
  published(entry: LedgerEntry): void;
  /** Note that a handler begins; end the returned run exactly once. */
  handling(entry: LedgerEntry): LedgerRun;
  /** Published and not handled with success so far; O(1). */
  readonly outstanding: number;
  /** Runs of already handled messages so far, one that failed and was tried again counted once; O(1). */
  readonly duplicates: number;
  verdict(drained?: DrainedQuery): Promise<LedgerVerdict>;
}

interface KeyBooks {
  flags: Uint8Array;
  /** Sequences seen, one more than the highest. */
  length: number;
  /** Every sequence below has been handled. */
  handledBelow: number;
  running: number;
}

const PUBLISHED = 1;
const HANDLED = 2;
const RUNNING = 4;
/** A run of a message that was handled before has failed: the next one is the same duplicate. */
const REPEAT_FAILED = 8;
const FIRST_SIZE = 16;

/**
 * Open a ledger. Costs a byte a message and constant time a call, so that a million entries are no burden.
 *
 * Source: the four checks are "no loss, duplicates counted and bounded, order per key and never two handlers of one
 * key at once, drained".
 */
export function createLedger(): Ledger {
  return new Books();
}

class Books implements Ledger {
  readonly #topics = new Map<string, Map<string, KeyBooks>>();
  readonly #duplicated = createFindings();
  readonly #disordered = createFindings();
  readonly #overlapped = createFindings();
  #published = 0;
  #handled = 0;
  outstanding = 0;

  get duplicates(): number {
    return this.#duplicated.count;
  }

  published(entry: LedgerEntry): void {
    const books = this.#booksOf(entry);
    const flags = flagsOf(books, entry.sequence);
    if ((flags & PUBLISHED) !== 0)
      throw new RangeError(`${show(entry)} was published before: number each message once`);
    books.flags[entry.sequence] = flags | PUBLISHED;
    this.#published++;
    if ((flags & HANDLED) === 0) this.outstanding++;
  }

  handling(entry: LedgerEntry): LedgerRun {
    const books = this.#booksOf(entry);
    const flags = flagsOf(books, entry.sequence);
    const repeats = (flags & HANDLED) !== 0;
    if (repeats && (flags & REPEAT_FAILED) === 0) this.#duplicated.add(entry, "handled again");
    if (books.running > 0)
      this.#overlapped.add(entry, `began while ${books.running} of its key ran`);
    const next = books.handledBelow;
    if (next < entry.sequence && (flagsOf(books, next) & RUNNING) === 0)
      this.#disordered.add(entry, `began before ${next} was handled`);
    books.flags[entry.sequence] = (flags | RUNNING) & ~REPEAT_FAILED;
    books.running++;
    return this.#run(entry, books, repeats);
  }

  async verdict(drained?: DrainedQuery): Promise<LedgerVerdict> {
    const topics = [...this.#topics.keys()];
    return {
      published: this.#published,
      handled: this.#handled,
      lost: this.#lost(),
      duplicated: this.#duplicated.finding(),
      disordered: this.#disordered.finding(),
      overlapped: this.#overlapped.finding(),
      drained: drained === undefined ? undefined : await readDrained(drained, topics),
    };
  }

  #run(entry: LedgerEntry, books: KeyBooks, repeats: boolean): LedgerRun {
    let open = true;
    const end = (): number => {
      if (!open) throw new RangeError(`a run of ${show(entry)} was ended twice`);
      open = false;
      books.running--;
      const flags = flagsOf(books, entry.sequence) & ~RUNNING;
      books.flags[entry.sequence] = flags;
      return flags;
    };
    return {
      failed: () => {
        const flags = end();
        if (repeats) books.flags[entry.sequence] = flags | REPEAT_FAILED;
      },
      done: () => {
        const flags = end();
        if ((flags & HANDLED) === 0) return this.#settle(entry, books, flags);
        if (!repeats) this.#duplicated.add(entry, "handled by two runs at once");
      },
    };
  }

  #settle(entry: LedgerEntry, books: KeyBooks, flags: number): void {
    books.flags[entry.sequence] = flags | HANDLED;
    this.#handled++;
    if ((flags & PUBLISHED) !== 0) this.outstanding--;
    while ((flagsOf(books, books.handledBelow) & HANDLED) !== 0) books.handledBelow++;
  }

  #lost(): Finding {
    const lost = createFindings();
    if (this.outstanding === 0) return lost.finding();
    for (const [topic, keys] of this.#topics) {
      for (const [key, books] of keys) {
        for (const sequence of unhandled(books))
          lost.add({ topic, key, sequence }, "published, never handled");
      }
    }
    return lost.finding();
  }

  #booksOf(entry: LedgerEntry): KeyBooks {
    const { topic, key, sequence } = entry;
    if (!Number.isSafeInteger(sequence) || sequence < 0)
      throw new RangeError(`sequence must be 0, 1, 2, …, got ${sequence}`);
    let keys = this.#topics.get(topic);
    if (keys === undefined) this.#topics.set(topic, (keys = new Map()));
    let books = keys.get(key);
    if (books === undefined)
      keys.set(
        key,
        (books = { flags: new Uint8Array(FIRST_SIZE), length: 0, handledBelow: 0, running: 0 }),
      );
    if (sequence >= books.flags.length) books.flags = grown(books.flags, sequence);
    books.length = Math.max(books.length, sequence + 1);
    return books;
  }
}

function flagsOf(books: KeyBooks, sequence: number): number {
  return books.flags[sequence] ?? 0;
}

function* unhandled(books: KeyBooks): Generator<number> {
  for (let sequence = books.handledBelow; sequence < books.length; sequence++) {
    const flags = flagsOf(books, sequence);
    if ((flags & PUBLISHED) !== 0 && (flags & HANDLED) === 0) yield sequence;
  }
}

function grown(flags: Uint8Array, sequence: number): Uint8Array {
  const larger = new Uint8Array(Math.max(flags.length * 2, sequence + 1));
  larger.set(flags);
  return larger;
}

function show(entry: LedgerEntry): string {
  return `message ${entry.sequence} of key ${entry.key} in ${entry.topic}`;
}
