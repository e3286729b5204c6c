import { expect, test } from "vitest";
import { manualClock } from "@bus/testkit";

import { LeaseActions } from "./lease-actions.ts";
import { memberKey, readLeaseKey, writeMember } from "./lease-records.ts";
import type { LeaseStore, StoredEntry } from "./lease-store.ts";
import { LeaseView } from "./lease-view.ts";
import { Membership } from "./membership.ts";

const EXPIRE_MS = 1_000;

/** A bucket whose writes are carried out at once and answered when the test says so. */
class SlowStore implements LeaseStore {
  readonly entries = new Map<string, StoredEntry>();
  answers: (() => void)[] = [];
  #revision = 0;

  read(key: string): Promise<StoredEntry | undefined> {
    const entry = this.entries.get(key);
    return Promise.resolve(entry?.value === undefined ? undefined : entry);
  }

  async write(key: string, value: string, revision: number): Promise<number | undefined> {
    const written = this.put(key, value, revision);
    await new Promise<void>((resolve) => this.answers.push(resolve));
    return written;
  }

  remove(key: string, revision: number): Promise<boolean> {
    return Promise.resolve(this.put(key, undefined, revision) !== undefined);
  }

  watch(): Promise<() => void> {
    return Promise.resolve(() => undefined);
  }

  put(key: string, value: string | undefined, at: number): number | undefined {
    if ((this.entries.get(key)?.revision ?? 0) !== at) return undefined;
    this.#revision += 1;
    this.entries.set(key, { key, value, revision: this.#revision });
    return this.#revision;
  }

  answer(): void {
    for (const answer of this.answers.splice(0)) answer();
  }
}

function openMembership(): {
  clock: ReturnType<typeof manualClock>;
  store: SlowStore;
  membership: Membership;
} {
  const clock = manualClock();
  const store = new SlowStore();
  const membership = new Membership({
    group: "g",
    id: "a",
    clock,
    store,
    expireMs: EXPIRE_MS,
    wrote: () => undefined,
  });
  return { clock, store, membership };
}

async function renew(membership: Membership, store: SlowStore): Promise<void> {
  const renewing = membership.renew([]);
  store.answer();
  await renewing;
}

test("a renewal counts from when it was begun, however late its answer comes", async () => {
  const { clock, store, membership } = openMembership();
  const renewing = membership.renew([]);
  clock.advance(700);
  store.answer();
  await renewing;
  expect(membership.isAlive).toBe(true);
  clock.advance(99);
  expect(membership.isAlive).toBe(true);
  clock.advance(1);
  expect([membership.isAlive, membership.isOver]).toEqual([false, true]);
});

test("a renewal whose answer was lost is recognised as our own by the next one", async () => {
  const { clock, store, membership } = openMembership();
  await renew(membership, store);
  clock.advance(300);
  store.put(memberKey("g", "a"), writeMember({ beat: 1, topics: [] }), 1);
  await renew(membership, store);
  expect(membership.isOver).toBe(false);
  await renew(membership, store);
  expect([membership.isAlive, membership.ageMs]).toEqual([true, 0]);
});

test("a member whose record was deleted has ended, and writes nothing more", async () => {
  const { store, membership } = openMembership();
  await renew(membership, store);
  store.put(memberKey("g", "a"), undefined, 1);
  await renew(membership, store);
  expect([membership.isAlive, membership.isOver]).toEqual([false, true]);
  await renew(membership, store);
  expect(store.entries.get(memberKey("g", "a"))?.value).toBeUndefined();
});

test("a member that has renewed its record is not evicted by one that has not seen it", async () => {
  const store = new SlowStore();
  const clock = manualClock();
  const view = new LeaseView("g");
  const key = memberKey("g", "b");
  const observe = (entry: StoredEntry): boolean => view.observe(entry, clock.monotonicMs());
  const actions = new LeaseActions({ group: "g", store, view, clock, observe });
  store.put(key, writeMember({ beat: 1, topics: [] }), 0);
  observe({ key, value: writeMember({ beat: 1, topics: [] }), revision: 1 });
  store.put(key, writeMember({ beat: 2, topics: [] }), 1);
  clock.advance(EXPIRE_MS);
  const seen = view.members.get("b");
  if (seen === undefined) throw new Error("not seen");
  await actions.evict(seen);
  expect(store.entries.get(key)?.revision).toBe(2);
  expect(view.members.get("b")).toMatchObject({ revision: 2, changedAtMs: EXPIRE_MS });
  await actions.evict({ ...seen, revision: 2 });
  expect(store.entries.get(key)?.value).toBeUndefined();
  expect(view.members.has("b")).toBe(false);
});

test("any topic name and group has a key of its own, which can be read back", () => {
  const groups = ["g", "a.b", "a=2eb", "grüße"];
  const keys = groups.map((group) => memberKey(group, "x"));
  expect(new Set(keys).size).toBe(groups.length);
  expect(keys.every((key) => /^[-=_A-Za-z0-9.]+$/.test(key))).toBe(true);
  expect(readLeaseKey("a.b", memberKey("a.b", "x"))).toEqual({ kind: "member", id: "x" });
  expect(readLeaseKey("a", memberKey("a.b", "x"))).toBeUndefined();
});
