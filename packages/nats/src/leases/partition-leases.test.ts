import { expect, test } from "vitest";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";

import type { Lease, LeaseListener } from "./lease-contract.ts";
import { partitionKey, writePartition } from "./lease-records.ts";
import type { LeaseStore, LeaseWatcher, StoredEntry } from "./lease-store.ts";
import { PartitionLeases } from "./partition-leases.ts";

const KEY = partitionKey("g", { topic: "t", partition: 0 });

/** A bucket whose watch tells nothing after its beginning, and whose reads and answers can be made to fail. */
class QuietStore implements LeaseStore {
  readonly history = new Map<string, StoredEntry[]>();
  /** Whether reads show the value before the newest. */
  isBehind = false;
  /** Writes that are carried out, and whose answer is lost. */
  unanswered = 0;
  #revision = 0;

  read(key: string): Promise<StoredEntry | undefined> {
    return Promise.resolve(this.history.get(key)?.at(this.isBehind ? -2 : -1));
  }

  write(key: string, value: string, revision: number): Promise<number | undefined> {
    const written = this.put(key, value, revision);
    if (this.unanswered === 0) return Promise.resolve(written);
    this.unanswered -= 1;
    return Promise.reject(new Error("no answer"));
  }

  remove(key: string, revision: number): Promise<boolean> {
    return Promise.resolve(this.put(key, undefined, revision) !== undefined);
  }

  watch(_prefix: string, watcher: LeaseWatcher): Promise<() => void> {
    for (const entries of this.history.values()) {
      const entry = entries.at(-1);
      if (entry !== undefined) watcher.changed(entry);
    }
    watcher.ready();
    return Promise.resolve(() => undefined);
  }

  put(key: string, value: string | undefined, at: number): number | undefined {
    const entries = this.history.get(key) ?? [];
    if ((entries.at(-1)?.revision ?? 0) !== at) return undefined;
    this.#revision += 1;
    this.history.set(key, [...entries, { key, value, revision: this.#revision }]);
    return this.#revision;
  }
}

class Owner implements LeaseListener {
  readonly told: string[] = [];
  #failures = 0;

  acquired({ partition, epoch, floor }: Lease): void {
    this.told.push(`acquired ${partition} at ${epoch} from ${floor}`);
  }

  revoked({ partition, epoch }: Lease): Promise<number | undefined> {
    this.told.push(`revoked ${partition} at ${epoch}`);
    return Promise.resolve(70);
  }

  lost({ partition, epoch }: Lease): void {
    this.told.push(`lost ${partition} at ${epoch}`);
  }

  failed(): void {
    this.#failures += 1;
  }

  get failures(): number {
    return this.#failures;
  }
}

async function start(
  store: QuietStore,
  id = "me",
): Promise<{ clock: ManualClock; owner: Owner; leases: PartitionLeases }> {
  const clock = manualClock();
  const owner = new Owner();
  const leases = new PartitionLeases({
    group: "g",
    id,
    clock,
    store,
    options: { renewMs: 1_000, expireMs: 3_000 },
    listener: owner,
  });
  leases.setTopics([{ topic: "t", partitions: 1 }]);
  await leases.start();
  return { clock, owner, leases };
}

test("a partition that was given back keeps its floor for the next owner, one epoch later", async () => {
  const store = new QuietStore();
  const first = await start(store);
  await first.leases.close();
  expect(first.owner.told).toEqual(["acquired 0 at 1 from undefined", "revoked 0 at 1"]);
  expect(first.clock.pending).toBe(0);
  const second = await start(store, "other");
  expect(second.owner.told).toEqual(["acquired 0 at 2 from 70"]);
});

test("a claim whose answer was lost is found to be ours, and begins once", async () => {
  const store = new QuietStore();
  store.put(KEY, writePartition({ owner: "", epoch: 4, floor: 9 }), 0);
  const clock = manualClock();
  const owner = new Owner();
  const leases = new PartitionLeases({
    group: "g",
    id: "me",
    clock,
    store,
    options: { renewMs: 1_000, expireMs: 3_000 },
    listener: owner,
  });
  await leases.start();
  leases.setTopics([{ topic: "t", partitions: 1 }]);
  // The renewal with the topics is answered, the claim is not.
  await Promise.resolve();
  await Promise.resolve();
  store.unanswered = 1;
  await clock.advanceAsync(1_000);
  expect(owner.failures).toBe(1);
  expect(owner.told).toEqual(["acquired 0 at 5 from 9"]);
  await clock.advanceAsync(1_000);
  expect(owner.told).toEqual(["acquired 0 at 5 from 9"]);
});

test("what was given back does not begin again, although reads still show us as its owner", async () => {
  const store = new QuietStore();
  const { clock, owner, leases } = await start(store);
  await clock.advanceAsync(0);
  store.isBehind = true;
  store.unanswered = 2;
  // One of the answers is that of the renewal that says that the topic is not wanted any more.
  leases.setTopics([]);
  await clock.advanceAsync(200);
  leases.setTopics([{ topic: "t", partitions: 1 }]);
  await clock.advanceAsync(1_000);
  expect(owner.told.filter((line) => line.includes("at 1"))).toEqual([
    "acquired 0 at 1 from undefined",
    "revoked 0 at 1",
  ]);
  store.isBehind = false;
  await clock.advanceAsync(1_000);
  expect(owner.told.at(-1)).toBe("acquired 0 at 2 from 70");
});

test("a partition that somebody else took is lost, and one whose life has ended comes back with a new epoch", async () => {
  const store = new QuietStore();
  const { clock, owner } = await start(store);
  const member = [...store.history.keys()].find((key) => key !== KEY) ?? "";
  store.put(member, undefined, store.history.get(member)?.at(-1)?.revision ?? 0);
  await clock.advanceAsync(3_000);
  expect(owner.told).toEqual([
    "acquired 0 at 1 from undefined",
    "lost 0 at 1",
    "acquired 0 at 2 from undefined",
  ]);
});
