import type { HeaderList } from "@bus/core";

/** A message as it lies in a log. */
export interface StoredMessage {
  readonly offset: number;
  /** Milliseconds since the Unix epoch. */
  readonly timestampMs: number;
  readonly sizeBytes: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: HeaderList;
}

/** Reads a log and wants to know when there is more. */
export interface LogReader {
  /** The log has grown, or what it held before some offset is gone. Returns at once. */
  wake(): void;
}

/** Removed messages that may stay in the array before it is copied. */
const MAX_REMOVED = 1024;

/** One partition of one topic: messages in offset order, with gaps where something was removed or never visible. */
export class PartitionLog {
  readonly topic: string;
  readonly partition: number;
  readonly readers: LogReader[] = [];
  /** First offset that a consumer may ask for. */
  low = 0;
  /** The offset that the next message gets. */
  next = 0;
  /** Changes whenever an index that `indexFrom` has returned may mean another message. */
  version = 0;
  #entries: StoredMessage[] = [];
  #first = 0;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  /** Number of messages. */
  get messages(): number {
    return this.#entries.length - this.#first;
  }

  /** Store a message whose offset is `next`. */
  append(stored: StoredMessage): void {
    this.#entries.push(stored);
    this.next = stored.offset + 1;
    this.#wakeReaders();
  }

  /** Index of the first message at or after an offset; valid until `version` changes. */
  indexFrom(offset: number): number {
    const entries = this.#entries;
    const first = entries[this.#first];
    const last = entries.at(-1);
    if (first === undefined || last === undefined || last.offset < offset) return entries.length;
    if (offset <= first.offset) return this.#first;
    // Without gaps in between the distance of the offsets is that of the indexes; gaps only make it smaller.
    const guess = Math.min(this.#first + (offset - first.offset), entries.length - 1);
    return entries[guess]?.offset === offset ? guess : this.#search(offset, guess);
  }

  at(index: number): StoredMessage | undefined {
    return this.#entries[index];
  }

  /** Messages from an offset on. */
  *from(offset: number): Generator<StoredMessage> {
    for (let index = this.indexFrom(offset); index < this.#entries.length; index += 1) {
      const stored = this.#entries[index];
      if (stored !== undefined) yield stored;
    }
  }

  /** Remove every message before an offset, as retention does. */
  removeBefore(offset: number): void {
    const low = Math.min(offset, this.next);
    if (low <= this.low) return;
    this.low = low;
    this.#first = this.indexFrom(low);
    if (this.#first > MAX_REMOVED && this.#first * 2 > this.#entries.length)
      this.#replace(this.#entries.slice(this.#first));
    this.#wakeReaders();
  }

  /** Keep the newest `count` messages. */
  keepNewest(count: number): void {
    const oldestKept = this.#entries[this.#entries.length - count];
    if (this.messages > count && oldestKept !== undefined) this.removeBefore(oldestKept.offset);
  }

  /** Keep only the last message of each key, and those without a key; offsets stay, with gaps. */
  compact(): void {
    const seen = new Set<string>();
    const kept: StoredMessage[] = [];
    for (let index = this.#entries.length - 1; index >= this.#first; index -= 1) {
      const stored = this.#entries[index];
      if (stored === undefined) continue;
      const key = stored.key === null ? undefined : Buffer.from(stored.key).toString("latin1");
      if (key !== undefined && seen.has(key)) continue;
      if (key !== undefined) seen.add(key);
      kept.push(stored);
    }
    this.#replace(kept.toReversed());
    this.#wakeReaders();
  }

  /** Use up offsets that no consumer ever sees, as transaction markers do. */
  insertGap(count: number): void {
    this.next += count;
    this.#wakeReaders();
  }

  #search(offset: number, atMost: number): number {
    let low = this.#first;
    let high = atMost;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.offset ?? offset) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #replace(entries: StoredMessage[]): void {
    this.#entries = entries;
    this.#first = 0;
    this.version += 1;
  }

  #wakeReaders(): void {
    for (let index = 0; index < this.readers.length; index += 1) this.readers[index]?.wake();
  }
}
