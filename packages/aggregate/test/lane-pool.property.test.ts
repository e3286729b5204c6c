import fc from "fast-check";
import { expect, test } from "vitest";
import type { Mode, NormalModePromise } from "../src/route.ts";
import { PoolWorld, settle } from "./support/pool-world.ts";
import type { Entry, OpenRun, PoolWorldOptions } from "./support/pool-world.ts";

type Step =
  | {
      readonly kind: "deliver";
      readonly key: string;
      readonly partition: number;
      readonly times: number;
    }
  | { readonly kind: "end"; readonly which: number }
  | { readonly kind: "fail"; readonly which: number }
  | { readonly kind: "retry"; readonly which: number }
  | { readonly kind: "flip" }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "drain"; readonly partition: number };

const KEYS = ["", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("deliver" as const),
      // Half of the traffic goes to one hot aggregate.
      key: fc.oneof(fc.constant("a"), fc.constantFrom(...KEYS)),
      partition: fc.nat(2),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("end" as const), which: fc.nat(100) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("fail" as const), which: fc.nat(100) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("retry" as const), which: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("flip" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      ms: fc.integer({ min: 1, max: 900 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("drain" as const), partition: fc.nat(2) }),
  },
);

const steps = fc.array(step, { maxLength: 150, size: "max" });

const options = fc.record({
  concurrency: fc.integer({ min: 1, max: 6 }),
  maxLanes: fc.integer({ min: 1, max: 5 }),
  mailboxSize: fc.integer({ min: 1, max: 4 }),
  idleTimeoutMs: fc.constant(400),
  mode: fc.constantFrom<Mode>("recovery", "normal"),
  aggregateRateLimit: fc.option(
    fc.record({
      perSecond: fc.integer({ min: 5, max: 100 }),
      burst: fc.integer({ min: 1, max: 3 }),
    }),
    {
      nil: undefined,
      freq: 4,
    },
  ),
});

async function perform(world: PoolWorld, action: Step): Promise<void> {
  switch (action.kind) {
    case "deliver":
      // A transport stops reading a paused partition, but what it has in hand still comes.
      for (
        let left = action.times;
        left > 0 && (left === action.times || !world.paused.has(action.partition));
        left--
      ) {
        world.deliver(action.key, action.partition);
      }
      return;
    case "end":
      return world.end(world.running[action.which % Math.max(1, world.running.length)]);
    case "fail":
      world.running[action.which % Math.max(1, world.running.length)]?.fail();
      return settle();
    case "retry":
      world.failed[action.which % Math.max(1, world.failed.length)]?.retry();
      return settle();
    case "flip":
      world.pool.mode = world.pool.mode === "recovery" ? "normal" : "recovery";
      return;
    case "pass":
      await world.clock.advanceAsync(action.ms);
      return;
    case "drain":
      world.drain(action.partition);
      return settle();
  }
}

/** What must be true at any moment. */
function checkCounters(world: PoolWorld): void {
  const numbers = world.pool.numbers();
  const open = world.entries.filter((entry) => !entry.handled && !entry.released);
  const queued = open.filter((entry) => entry.runs === 0).length;
  expect(numbers.running).toBe(world.running.length);
  expect(numbers.running).toBeLessThanOrEqual(world.options.concurrency);
  expect(numbers.retrying).toBe(world.failed.length + world.returning.size);
  expect(numbers.queued).toBe(queued);
  expect(numbers.active + numbers.idle).toBe(numbers.total);
  expect(numbers.total).toBeLessThanOrEqual(world.options.maxLanes);
  const hottest = world.pool.hottest(Number.POSITIVE_INFINITY);
  expect(hottest.length).toBe(numbers.active + numbers.waiting + numbers.passing);
  const directQueued = queued - hottest.reduce((sum, aggregate) => sum + aggregate.queued, 0);
  expect(directQueued).toBeGreaterThanOrEqual(0);
  for (const entry of world.entries) expect(entry.runs).toBeLessThanOrEqual(1);
  // Work conserving: nothing waits for a handler while one is free, unless its aggregate is busy or limited.
  if (
    numbers.running < world.options.concurrency &&
    world.options.aggregateRateLimit === undefined
  ) {
    expect(world.returning.size).toBe(0);
    const busyKeys = new Set(world.begun.map(({ key }) => key));
    for (const entry of open.filter(({ runs }) => runs === 0)) {
      expect(
        busyKeys.has(entry.key) || numbers.waiting > 0,
        `${entry.key}${entry.sequence} waits for nothing`,
      ).toBe(true);
    }
  }
}

/** What must be true at the end: everything settled once, nothing held, nothing left. */
async function checkEnd(world: PoolWorld): Promise<void> {
  await world.endAll();
  await world.drained();
  checkCounters(world);
  for (const entry of world.entries) {
    expect(entry.runs, `${entry.key}${entry.sequence}`).toBe(1);
    expect(entry.handled !== entry.released).toBe(true);
  }
  expect([...world.paused]).toEqual([]);
  const numbers = world.pool.numbers();
  expect(numbers).toMatchObject({
    running: 0,
    queued: 0,
    active: 0,
    waiting: 0,
    passing: 0,
    oldestWaitMs: 0,
  });
  await world.clock.advanceAsync(world.options.idleTimeoutMs * 1.5);
  expect(world.pool.numbers().total).toBe(0);
  expect(world.clock.pending).toBe(0);
}

/** @returns How often a run that wanted its slot again was seen to wait for one. */
async function play(
  given: PoolWorldOptions,
  actions: readonly Step[],
  onBegin: PoolWorld["onBegin"],
): Promise<number> {
  const world = new PoolWorld({ partitions: 3, ...given });
  const failures: unknown[] = [];
  world.onBegin = (entry, begun) => {
    try {
      onBegin(entry, begun);
    } catch (error) {
      failures.push(error);
    }
  };
  let waited = 0;
  for (const action of actions) {
    await perform(world, action);
    checkCounters(world);
    waited += world.returning.size;
  }
  await checkEnd(world);
  expect(failures).toEqual([]);
  return waited;
}

/** Watches order and overlap of each key; `allowed` tells which pairs may break them. */
function watchKeys(allowed: (earlier: Entry, later: Entry) => boolean): PoolWorld["onBegin"] {
  const begun = new Map<string, Entry[]>();
  return (entry, unended) => {
    if (entry.key === "") return;
    for (const other of unended) {
      if (other.key === entry.key && !allowed(other, entry))
        throw new Error(`${entry.key}${entry.sequence} overlaps ${other.sequence}`);
    }
    const before = begun.get(entry.key) ?? [];
    for (const other of before) {
      if (other.sequence > entry.sequence && !allowed(entry, other))
        throw new Error(`${entry.key}${entry.sequence} began after ${other.sequence}`);
    }
    begun.set(entry.key, [...before, entry]);
  };
}

const runs = { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 100) };

test("an aggregate is handled in order and never twice at once, whatever interleaves", async () => {
  let waited = 0;
  await fc.assert(
    fc.asyncProperty(options, steps, async (given, actions) => {
      waited += await play(
        { ...given, promise: "ordered" },
        actions,
        watchKeys(() => false),
      );
    }),
    runs,
  );
  expect(waited).toBeGreaterThan(0);
}, 60_000);

test("with overlapping runs allowed, only messages that came in normal mode overlap or overtake", async () => {
  await fc.assert(
    fc.asyncProperty(options, steps, async (given, actions) => {
      await play(
        { ...given, promise: "overlapping" },
        actions,
        watchKeys((earlier, later) => earlier.mode === "normal" && later.mode === "normal"),
      );
    }),
    runs,
  );
}, 60_000);

test("with overlapping runs allowed, messages of one aggregate really overlap in normal mode", async () => {
  const world = new PoolWorld({
    promise: "overlapping" satisfies NormalModePromise,
    mode: "normal",
  });
  for (let count = 0; count < 3; count++) world.deliver("a");
  const running: readonly OpenRun[] = world.running;
  expect(running.length).toBe(3);
  await world.endAll();
});
