import type { Clock } from "@bus/core";
import type { LeaseWatcher, StoredEntry } from "../src/leases/lease-store.ts";

/** One time for all, which every process measures with a clock of its own that runs a little fast or slow. */
export class World {
  nowMs = 0;
}

/** A clock that runs what is due when it is told to, however late. */
export class OwnClock implements Clock {
  readonly #world: World;
  readonly #rate: number;
  readonly #alarms = new Set<{ readonly dueMs: number; readonly callback: () => void }>();

  constructor(world: World, rate: number) {
    this.#world = world;
    this.#rate = rate;
  }

  now(): number {
    return this.monotonicMs();
  }

  monotonicMs(): number {
    return this.#world.nowMs * this.#rate;
  }

  schedule(callback: () => void, delayMs: number): () => void {
    const alarm = { dueMs: this.monotonicMs() + delayMs, callback };
    this.#alarms.add(alarm);
    return () => void this.#alarms.delete(alarm);
  }

  /** Run what is due, however late. */
  run(): void {
    for (const alarm of [...this.#alarms].toSorted((left, right) => left.dueMs - right.dueMs)) {
      if (alarm.dueMs > this.monotonicMs() || !this.#alarms.delete(alarm)) continue;
      alarm.callback();
    }
  }
}

/** Who watches, and what it has not heard yet. */
export interface Watching {
  readonly events: (() => void)[];
}

/** The bucket, with the history of every key and one watch a process. */
export class Bucket {
  readonly #history = new Map<string, StoredEntry[]>();
  readonly #watchers = new Map<Watching, LeaseWatcher>();
  #revision = 0;

  newest(key: string): StoredEntry | undefined {
    return this.#history.get(key)?.at(-1);
  }

  /** What a read may say: the newest value, or the one before. */
  read(key: string, behind: number): StoredEntry | undefined {
    const entries = this.#history.get(key) ?? [];
    const entry = entries[Math.max(entries.length - 1 - behind, 0)];
    return entry?.value === undefined ? undefined : entry;
  }

  put(key: string, value: string | undefined, at: number): number | undefined {
    if ((this.newest(key)?.revision ?? 0) !== at) return undefined;
    this.#revision += 1;
    const entry = { key, value, revision: this.#revision };
    this.#history.set(key, [...(this.#history.get(key) ?? []), entry]);
    for (const [process, watcher] of this.#watchers)
      process.events.push(() => watcher.changed(entry));
    return entry.revision;
  }

  watch(process: Watching, watcher: LeaseWatcher): void {
    this.#watchers.set(process, watcher);
    this.tellAll(process);
  }

  /** As after a reconnect: every key's newest value. */
  tellAll(process: Watching): void {
    const watcher = this.#watchers.get(process);
    if (watcher === undefined) return;
    for (const entries of this.#history.values()) {
      const entry = entries.at(-1);
      if (entry !== undefined) process.events.push(() => watcher.changed(entry));
    }
    process.events.push(() => watcher.ready());
  }

  forget(process: Watching): void {
    this.#watchers.delete(process);
  }
}
