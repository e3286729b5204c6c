import { expect, test } from "vitest";
import { PoolWorld, settle } from "../test/support/pool-world.ts";

test("a failed message that waits leaves its handler to others, keeps its aggregate, and returns in turn", async () => {
  const world = new PoolWorld({ concurrency: 1, mailboxSize: 100 });
  for (const key of "aabc") world.deliver(key);
  world.running[0]?.fail();
  await settle();
  expect(world.runningKeys()).toEqual(["b0"]);
  expect(world.pool.numbers()).toMatchObject({ running: 1, retrying: 1, queued: 2, active: 3 });
  expect(world.pool.hottest(9)).toContainEqual(
    expect.objectContaining({ aggregateId: "a", queued: 1, running: 1 }),
  );
  world.failed[0]?.retry();
  await settle();
  expect(world.runningKeys()).toEqual(["b0"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["c0"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["a0"]);
  await world.end();
  expect(world.runningKeys()).toEqual(["a1"]);
  expect(world.pool.numbers()).toMatchObject({ running: 1, retrying: 0, queued: 0 });
});

test("the lane of a failed message that waits is neither evicted nor released", async () => {
  const world = new PoolWorld({ concurrency: 1, maxLanes: 2, idleTimeoutMs: 1000 });
  world.deliver("a");
  world.running[0]?.fail();
  await settle();
  for (const key of "bcde") {
    world.deliver(key);
    await world.end();
    await world.clock.advanceAsync(900);
  }
  world.deliver("a");
  expect(world.pool.numbers()).toMatchObject({ active: 1, retrying: 1, queued: 1 });
  world.failed[0]?.retry();
  await settle();
  expect(world.runningKeys()).toEqual(["a0"]);
});

test("a failed message is given back at once when its ownership ends, in its wait and in its wait for a handler", async () => {
  const world = new PoolWorld({ concurrency: 1, partitions: 2 });
  const waits = world.deliver("a", 0);
  world.running[0]?.fail();
  await settle();
  const returns = world.deliver("b", 0);
  world.running[0]?.fail();
  await settle();
  world.deliver("c", 1);
  world.failed[1]?.retry();
  await settle();
  world.drain(0);
  await settle();
  expect([waits.released, returns.released]).toEqual([true, true]);
  expect(world.runningKeys()).toEqual(["c0"]);
  expect(world.pool.numbers()).toMatchObject({ running: 1, retrying: 0, active: 1 });
  await world.endAll();
});

test("thousands of messages that fail at once are begun one after the other, not one inside the other", async () => {
  const world = new PoolWorld({ concurrency: 1, maxLanes: 20_000, mailboxSize: 100 });
  world.failsAtOnce = (key) => key !== "holds";
  world.deliver("holds");
  for (let index = 0; index < 6_000; index++) world.deliver(`key-${index}`);
  await world.end();
  expect(world.pool.numbers()).toMatchObject({ running: 0, retrying: 6_000, queued: 0 });
});
