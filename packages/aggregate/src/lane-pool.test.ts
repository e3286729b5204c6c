import { expect, test } from "vitest";
import { PoolWorld, settle } from "../test/support/pool-world.ts";

function deliverMany(world: PoolWorld, keys: string): void {
  for (const key of keys) world.deliver(key);
}

test("messages of one aggregate run one at a time, in the order in which they came", async () => {
  const world = new PoolWorld();
  deliverMany(world, "aaa");
  expect(world.runningKeys()).toEqual(["a0"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["a1"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["a2"]);
});

test("aggregates run at the same time, up to the concurrency", async () => {
  const world = new PoolWorld({ concurrency: 3, maxLanes: 10 });
  deliverMany(world, "abcde");
  expect(world.runningKeys()).toEqual(["a0", "b0", "c0"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["b0", "c0", "d0"]);
});

test("a hot aggregate gets one turn in each round of the ready lanes", async () => {
  const world = new PoolWorld({ concurrency: 1, mailboxSize: 100 });
  deliverMany(world, "aaaaaabbcc");
  const order: string[] = [];
  while (world.running.length > 0) {
    order.push(...world.runningKeys());
    await world.end();
  }
  expect(order.join(" ")).toBe("a0 b0 c0 a1 b1 c1 a2 a3 a4 a5");
});

test("a message without an aggregate takes its turn as a lane with one message does", async () => {
  const world = new PoolWorld({ concurrency: 1, mailboxSize: 100 });
  for (const key of ["a", "a", "a", "", "b"]) world.deliver(key);
  const order: string[] = [];
  while (world.running.length > 0) {
    order.push(...world.runningKeys());
    await world.end();
  }
  expect(order).toEqual(["a0", "0", "b0", "a1", "a2"]);
});

test("messages without an aggregate run at the same time and never wait for each other", () => {
  const world = new PoolWorld({ concurrency: 3 });
  for (let count = 0; count < 5; count++) world.deliver("");
  expect(world.running.length).toBe(3);
  expect(world.pool.numbers()).toMatchObject({ queued: 2, total: 0, active: 0 });
});

test("an aggregate with more than half a mailbox has every second turn, however many others are ready", async () => {
  const world = new PoolWorld({ concurrency: 1, maxLanes: 50, mailboxSize: 8 });
  deliverMany(world, "aaaaaaaabcdefgh");
  const order: string[] = [];
  while (world.running.length > 0) {
    order.push(...world.runningKeys());
    await world.end();
  }
  // Below half a mailbox it takes its turn as the others do.
  expect(order.join(" ")).toBe("a0 b0 a1 c0 a2 d0 a3 e0 f0 g0 h0 a4 a5 a6 a7");
});

test("a slow aggregate does not delay another one", async () => {
  const world = new PoolWorld({ concurrency: 2, mailboxSize: 100 });
  deliverMany(world, "aaaa");
  for (let count = 0; count < 10; count++) {
    world.deliver("b");
    await world.end(world.running.find((run) => run.entry.key === "b"));
  }
  expect(world.entries.filter((entry) => entry.key === "b" && entry.handled).length).toBe(10);
  expect(world.runningKeys()).toEqual(["a0"]);
});

test("a full mailbox pauses its partition, and half a mailbox resumes it", async () => {
  const world = new PoolWorld({ mailboxSize: 4, concurrency: 1 });
  for (let count = 0; count < 4; count++) world.deliver("a", 1);
  expect([...world.paused]).toEqual([]);
  world.deliver("a", 1);
  expect([...world.paused]).toEqual([1]);
  await world.end();
  expect([...world.paused]).toEqual([1]);
  await world.end();
  expect([...world.paused]).toEqual([]);
});

test("a full mailbox takes what still comes, in order", async () => {
  const world = new PoolWorld({ mailboxSize: 2, concurrency: 1 });
  deliverMany(world, "aaaaaaaaaa");
  expect(world.pool.numbers().queued).toBe(9);
  await world.endAll();
  expect(world.entries.every((entry) => entry.handled && entry.runs === 1)).toBe(true);
});

test("a partition held by two full mailboxes is resumed by the last of them", async () => {
  const world = new PoolWorld({ mailboxSize: 2, concurrency: 2 });
  deliverMany(world, "aaabbb");
  expect([...world.paused]).toEqual([0]);
  const endOf = (key: string): Promise<void> =>
    world.end(world.running.find((run) => run.entry.key === key));
  await endOf("a");
  await endOf("a");
  expect([...world.paused]).toEqual([0]);
  await endOf("b");
  expect([...world.paused]).toEqual([]);
});

test("the lane used least recently makes room, and only when it is idle", async () => {
  const world = new PoolWorld({ maxLanes: 2 });
  world.deliver("a");
  world.deliver("b");
  await world.end(world.running[1]);
  world.deliver("c");
  expect(world.pool.hottest(9).map(({ aggregateId }) => aggregateId)).toEqual(["c", "a"]);
  expect(world.pool.numbers()).toMatchObject({ total: 2, active: 2, waiting: 0 });
});

test("without an idle lane a new aggregate waits for one and its partition pauses", async () => {
  const world = new PoolWorld({ maxLanes: 2, concurrency: 4 });
  world.deliver("a", 0);
  world.deliver("b", 0);
  world.deliver("c", 1);
  world.deliver("c", 1);
  expect(world.runningKeys()).toEqual(["a0", "b0"]);
  expect([...world.paused]).toEqual([1]);
  expect(world.pool.numbers()).toMatchObject({ total: 2, active: 2, waiting: 1, queued: 2 });
  await world.end();
  expect(world.runningKeys()).toEqual(["b0", "c0"]);
  expect([...world.paused]).toEqual([]);
  expect(world.pool.numbers()).toMatchObject({ total: 2, active: 2, waiting: 0, queued: 1 });
});

test("an idle lane is released after the idle timeout, never before, at most a quarter later", async () => {
  const world = new PoolWorld({ idleTimeoutMs: 1000 });
  world.deliver("a");
  await world.end();
  world.clock.advance(100);
  world.deliver("b");
  await world.end();
  world.clock.advance(990);
  expect(world.pool.numbers()).toMatchObject({ total: 2, idle: 2 });
  world.clock.advance(360);
  expect(world.pool.numbers().total).toBe(0);
  expect(world.clock.pending).toBe(0);
});

test("a lane that is used again is not released", async () => {
  const world = new PoolWorld({ idleTimeoutMs: 1000 });
  for (let count = 0; count < 20; count++) {
    world.deliver("a");
    await world.end();
    world.clock.advance(900);
  }
  expect(world.pool.numbers()).toMatchObject({ total: 1, idle: 1 });
});

test("a busy lane outlives the idle timeout", async () => {
  const world = new PoolWorld({ idleTimeoutMs: 1000 });
  deliverMany(world, "aa");
  world.clock.advance(10_000);
  expect(world.pool.numbers()).toMatchObject({
    total: 1,
    active: 1,
    queued: 1,
    oldestWaitMs: 10_000,
  });
  await world.endAll();
});

test("what drains is given back at once, though every handler is taken", async () => {
  const world = new PoolWorld({ concurrency: 1, partitions: 2 });
  world.deliver("a", 0);
  deliverMany(world, "aab");
  world.deliver("", 0);
  const kept = world.deliver("c", 1);
  world.drain(0);
  await settle();
  expect(world.entries.filter((entry) => entry.released).length).toBe(4);
  expect(world.runningKeys()).toEqual(["a0"]);
  expect(world.pool.numbers()).toMatchObject({ queued: 1, running: 1 });
  await world.end();
  expect(kept.runs).toBe(1);
  await world.endAll();
});

test("a delivery that drains when it comes is given back at once", async () => {
  const world = new PoolWorld({ concurrency: 1 });
  world.deliver("a");
  const controller = new AbortController();
  controller.abort();
  const late = world.deliver("a", 0, controller.signal);
  await settle();
  expect(late.released).toBe(true);
  expect(world.runningKeys()).toEqual(["a0"]);
});

test("a partition that is owned again runs behind what still runs of its last ownership", async () => {
  const world = new PoolWorld();
  deliverMany(world, "aa");
  world.drain(0);
  world.deliver("a");
  await settle();
  expect(world.runningKeys()).toEqual(["a0"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["a2"]);
});

test("in normal mode an aggregate needs no lane and still runs one at a time", async () => {
  const world = new PoolWorld({ mode: "normal", maxLanes: 1, concurrency: 10 });
  deliverMany(world, "aabc");
  expect(world.runningKeys()).toEqual(["a0", "b0", "c0"]);
  expect(world.pool.numbers()).toMatchObject({ total: 0, passing: 3, queued: 1, waiting: 0 });
  await world.endAll();
  expect(world.pool.numbers().passing).toBe(0);
  expect(world.clock.pending).toBe(0);
});

test("in normal mode an aggregate with a live lane stays in it", async () => {
  const world = new PoolWorld({ promise: "overlapping" });
  world.deliver("a");
  await world.end();
  world.pool.mode = "normal";
  deliverMany(world, "aa");
  expect(world.runningKeys()).toEqual(["a1"]);
  expect(world.pool.numbers()).toMatchObject({ total: 1, active: 1 });
});

test("an aggregate enters its lane when the last of its overlapping runs has ended", async () => {
  const world = new PoolWorld({ promise: "overlapping", mode: "normal" });
  deliverMany(world, "aa");
  world.pool.mode = "recovery";
  deliverMany(world, "aa");
  expect(world.runningKeys()).toEqual(["a0", "a1"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["a1"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["a2"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["a3"]);
});

test("an aggregate that is busy at the switch to recovery gets a lane with its next message, without a gap in order", async () => {
  const world = new PoolWorld({ mode: "normal", maxLanes: 1 });
  deliverMany(world, "aab");
  world.pool.mode = "recovery";
  expect(world.pool.numbers()).toMatchObject({ total: 0, passing: 2 });
  deliverMany(world, "ab");
  expect(world.pool.numbers()).toMatchObject({ total: 1, active: 1, passing: 1, queued: 3 });
  await world.endAll();
  expect(world.pool.numbers()).toMatchObject({ total: 1, idle: 1, passing: 0 });
});

test("every message tells how long it waited", async () => {
  const world = new PoolWorld({ concurrency: 1 });
  deliverMany(world, "aab");
  world.clock.advance(2000);
  await world.end();
  world.clock.advance(500);
  await world.end();
  expect(world.waits).toEqual([0, 2, 2.5]);
});

test("the aggregates with most messages queued are told on demand", () => {
  const world = new PoolWorld({ mailboxSize: 100 });
  deliverMany(world, "aaabccccc");
  world.clock.advance(40);
  expect(world.pool.hottest(2)).toEqual([
    { aggregateId: "c", topic: "orders", queued: 4, running: 1, oldestWaitMs: 40 },
    { aggregateId: "a", topic: "orders", queued: 2, running: 1, oldestWaitMs: 40 },
  ]);
});

test("a message whose aggregate cannot be told runs directly, after its failure was told", async () => {
  const world = new PoolWorld();
  world.badKeys.add("x");
  deliverMany(world, "xx");
  expect(world.keyFailures.length).toBe(2);
  expect(world.runningKeys()).toEqual(["x0", "x1"]);
  await world.endAll();
});

test("drained resolves when everything has settled, not before", async () => {
  const world = new PoolWorld({ concurrency: 1 });
  deliverMany(world, "ab");
  let drained = false;
  const waiting = world.drained().then(() => (drained = true));
  await world.end();
  expect(drained).toBe(false);
  await world.end();
  await waiting;
  expect(drained).toBe(true);
});
