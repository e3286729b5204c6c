import { createEventBus } from "@bus/core";
import { memory } from "@bus/memory";
import { manualClock, until } from "@bus/testkit";
import { expect, test } from "vitest";
import { aggregate } from "../src/aggregate-plugin.ts";
import { Gate, OrderBooks, Orders, Returns, skewedIds, turns } from "./support/orders.ts";

const soon = { timeoutMs: 5_000 };

test("a full mailbox pauses its partition at the transport, and every message still comes, in order", async () => {
  const books = new OrderBooks();
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1, maxInFlightMessages: 1000 }),
    plugins: [aggregate({ mailboxSize: 10 })],
  });
  using gate = new Gate();
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(() => gate.pass()),
  );
  await bus.start();
  await books.publish(
    bus,
    Array.from({ length: 300 }, () => "hot"),
  );
  const reasons = () =>
    bus
      .inspect()
      .groups.flatMap(({ partitions }) => partitions.flatMap(({ pausedBy }) => pausedBy));
  await until(() => reasons().includes("scheduler"), { ...soon, what: "the partition to pause" });
  expect(bus.lanes().queued).toBeLessThan(300);
  gate.open();
  await books.handledAll();
  await books.check();
  expect(reasons()).toEqual([]);
});

test("more aggregates than lanes wait for a lane, and idle lanes are released", async () => {
  const books = new OrderBooks();
  const clock = manualClock();
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ partitions: 4 }),
    plugins: [aggregate({ maxLanes: 5, concurrency: 3, idleTimeoutMs: 1000 })],
  });
  let mostLanes = 0;
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(async () => {
      mostLanes = Math.max(mostLanes, bus.lanes().total);
      await turns(1);
    }),
  );
  await bus.start();
  await books.publish(bus, skewedIds(400, 100));
  await until(
    async () => {
      await clock.advanceAsync(10);
      return books.ledger.outstanding === 0 && books.running === 0;
    },
    { ...soon, what: "every message" },
  );
  await books.check();
  expect(mostLanes).toBe(5);
  await clock.advanceAsync(1300);
  expect(bus.lanes().total).toBe(0);
});

test("the bus and a subscription are held to their rates, and nothing is dropped", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ partitions: 1 }),
    plugins: [aggregate({ rateLimit: { perSecond: 100, burst: 1 } })],
  });
  let orders = 0;
  let returns = 0;
  await bus.subscribe(
    Orders,
    books.handler(() => void orders++),
    { plugins: { aggregate: { rateLimit: { perSecond: 10, burst: 5 } } } },
  );
  await bus.subscribeWithAggregateId(
    Returns,
    books.handler(() => void returns++),
  );
  await bus.start();
  await books.publish(bus, skewedIds(40, 7));
  for (let ms = 0; ms < 1000; ms += 5) await clock.advanceAsync(5);
  expect(orders).toBeGreaterThanOrEqual(14);
  expect(orders).toBeLessThanOrEqual(15);
  await books.publish(bus, skewedIds(200, 7), Returns);
  for (let ms = 0; ms < 1000; ms += 5) await clock.advanceAsync(5);
  expect(returns).toBeGreaterThanOrEqual(85);
  expect(orders + returns).toBeLessThanOrEqual(15 + 101);
  await until(
    async () => {
      await clock.advanceAsync(50);
      return books.ledger.outstanding === 0;
    },
    { ...soon, what: "every message" },
  );
  await books.check();
});

test("a limit of the bus holds every ordering, without limits of subscriptions", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ partitions: 1 }),
    plugins: [aggregate({ rateLimit: { perSecond: 10, burst: 1 } })],
  });
  let handled = 0;
  await bus.subscribe(
    Orders,
    books.handler(() => void handled++),
    { ordering: "none" },
  );
  await bus.start();
  await books.publish(bus, skewedIds(30, 7));
  for (let ms = 0; ms < 1000; ms += 20) await clock.advanceAsync(20);
  expect(handled).toBeGreaterThanOrEqual(10);
  expect(handled).toBeLessThanOrEqual(11);
});

test("an aggregate is held to its rate, others are not", async () => {
  const clock = manualClock();
  const handled: string[] = [];
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ partitions: 1 }),
    plugins: [aggregate({ aggregateRateLimit: { perSecond: 10, burst: 1 } })],
  });
  await bus.subscribeWithAggregateId(Orders, ({ value }) => void handled.push(value.id));
  await bus.start();
  await bus.publishMany(
    Orders,
    ["a", "a", "a", "b", "c"].map((id, sequence) => ({ id, sequence })),
  );
  await clock.advanceAsync(50);
  expect(handled.toSorted()).toEqual(["a", "b", "c"]);
  await clock.advanceAsync(300);
  expect(handled.toSorted()).toEqual(["a", "a", "a", "b", "c"]);
});
