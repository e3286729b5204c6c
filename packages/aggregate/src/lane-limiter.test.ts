import { expect, test } from "vitest";
import { PoolWorld } from "../test/support/pool-world.ts";

test("a rate limit per aggregate delays its messages and nobody else's", async () => {
  const world = new PoolWorld({ aggregateRateLimit: { perSecond: 10, burst: 2 } });
  for (const key of "aaab") world.deliver(key);
  await world.end(world.running[0]);
  expect(world.runningKeys()).toEqual(["b0", "a1"]);
  await world.end(world.running[1]);
  expect(world.runningKeys()).toEqual(["b0"]);
  await world.clock.advanceAsync(99);
  expect(world.runningKeys()).toEqual(["b0"]);
  await world.clock.advanceAsync(1);
  expect(world.runningKeys()).toEqual(["b0", "a2"]);
});

test.each([
  ["evicted", 0],
  ["released", 50],
] as const)("a rate limit per aggregate outlives a lane that was %s", async (...row) => {
  const [, idleMs] = row;
  const world = new PoolWorld({
    maxLanes: 1,
    idleTimeoutMs: 20,
    aggregateRateLimit: { perSecond: 10, burst: 2 },
  });
  for (const key of "aa") world.deliver(key);
  await world.end();
  await world.end();
  await world.clock.advanceAsync(idleMs);
  if (idleMs === 0) world.deliver("b");
  await world.end();
  world.deliver("a");
  await world.clock.advanceAsync(99 - idleMs);
  expect(world.runningKeys()).toEqual([]);
  await world.clock.advanceAsync(1);
  expect(world.runningKeys()).toEqual(["a2"]);
});
