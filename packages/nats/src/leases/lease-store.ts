/** A key of the bucket as a read or a watch shows it. */
export interface StoredEntry {
  readonly key: string;
  /** `undefined`: the key was deleted. */
  readonly value: string | undefined;
  /** Grows with every write to the bucket, deletions included. */
  readonly revision: number;
}

/**
 * A key-value bucket with compare-and-set, shared by all processes: of every key the newest value, kept until it is deleted.
 *
 * Nothing in it expires by itself: a partition that nobody touches for weeks keeps its epoch.
 * Reads and watches may be behind; every decision is made by `write` and `remove`, which are not.
 */
export interface LeaseStore {
  /** The newest known value; `undefined` when the key never existed or is deleted. */
  read(key: string): Promise<StoredEntry | undefined>;
  /**
   * Write when the key is at `revision`, 0 for a key that never existed.
   *
   * @returns The new revision; `undefined` when the key is at another one, nothing was written then.
   * @throws when the outcome is unknown or nothing could be written.
   */
  write(key: string, value: string, revision: number): Promise<number | undefined>;
  /** Delete when the key is at `revision`. @returns Whether it was; otherwise nothing was done. @throws like `write`. */
  remove(key: string, revision: number): Promise<boolean>;
  /**
   * Hear of every key that begins with `prefix`: first of all that exist, then `ready`, then of changes, each key in order of its
   * revisions. Lasts across reconnects.
   *
   * @returns A function that ends it.
   */
  watch(prefix: string, watcher: LeaseWatcher): Promise<() => void>;
}

/** Hears what a watch sees. */
export interface LeaseWatcher {
  changed(entry: StoredEntry): void;
  /** Everything that existed when the watch began has been told. */
  ready(): void;
}
