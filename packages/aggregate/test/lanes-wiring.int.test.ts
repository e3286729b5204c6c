import { createEventBus } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock, until } from "@bus/testkit";
import { expect, test } from "vitest";
import { aggregate } from "../src/aggregate-plugin.ts";
import { Gate, OrderBooks, Orders, skewedIds, turns } from "./support/orders.ts";

const soon = { timeoutMs: 5_000 };

test("aggregates of two partitions are handled sixteen at once, each in order and one at a time", async () => {
  const books = new OrderBooks();
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 2 }),
    plugins: [aggregate({ concurrency: 16 })],
  });
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(() => turns(3)),
  );
  await bus.start();
  await books.publish(bus, skewedIds(2000, 200));
  await books.handledAll();
  await books.check();
  expect(books.peakRunning).toBe(16);
  expect(bus.lanes()).toMatchObject({ total: 101, active: 0, queued: 0, running: 0 });
});

test("ordering key does the same as subscribeWithAggregateId", async () => {
  const books = new OrderBooks();
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1 }),
    plugins: [aggregate({ concurrency: 8 })],
  });
  await bus.subscribe(
    Orders,
    books.handler(() => turns(2)),
    { ordering: "key", plugins: { aggregate: { orderedProcessing: true } } },
  );
  await bus.start();
  await books.publish(bus, skewedIds(500, 50));
  await books.handledAll();
  await books.check();
  expect(books.peakRunning).toBe(8);
});

test.each([
  ["the plugin", { orderedProcessing: false }, {}],
  ["the subscription", {}, { orderedProcessing: false }],
] as const)(
  "without ordered processing, told to %s, an aggregate overlaps in normal mode and only there",
  async (...row) => {
    const [, forPlugin, forSubscription] = row;
    await using bus = createEventBus({
      group: "g",
      transport: memory({ partitions: 1 }),
      plugins: [aggregate({ startMode: "normal", ...forPlugin })],
    });
    using gate = new Gate();
    await bus.subscribeWithAggregateId(Orders, () => gate.pass(), forSubscription);
    await bus.start();
    const publish = () =>
      bus.publishMany(
        Orders,
        Array.from({ length: 3 }, (_, sequence) => ({ id: "a", sequence })),
      );
    await publish();
    await until(() => gate.waiting === 3, { ...soon, what: "three handlers of one aggregate" });
    bus.setRecoveryMode(true);
    await publish();
    await until(() => bus.lanes().queued === 3, { ...soon, what: "the others to wait" });
    for (let count = 0; count < 3; count++) gate.next();
    await until(() => bus.lanes().queued === 2, { ...soon, what: "the first of them" });
    expect(gate.waiting).toBe(1);
    gate.open();
  },
);

test("a handler that fails is retried in its lane: its aggregate waits, others go on", async () => {
  const books = new OrderBooks();
  const attempts: number[] = [];
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1 }),
    plugins: [aggregate({ concurrency: 2 })],
  });
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(({ value }, { attempt }) => {
      if (value.id !== "hot" || value.sequence !== 3) return;
      attempts.push(attempt);
      if (attempt < 3) throw new Error("not yet");
    }),
  );
  await bus.start();
  await books.publish(bus, skewedIds(60, 10));
  await books.handledAll();
  await books.check();
  expect(attempts).toEqual([1, 2, 3]);
});

test("an aggregate that fails for ever holds its own commit, is seen in the stall gauge, and delays nobody else", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ partitions: 1 }),
    plugins: [aggregate({ concurrency: 4 })],
  });
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(({ value }) => {
      if (value.id === "hot") throw new Error("never");
    }),
  );
  await bus.start();
  await books.publish(bus, skewedIds(200, 20));
  await clock.advanceAsync(100);
  expect(books.ledger.outstanding).toBe(100);
  expect(bus.hotAggregates(1)).toMatchObject([{ aggregateId: "hot", running: 1 }]);
  expect(bus.inspect().plugins["aggregate"]).toMatchObject({
    lanes: { active: 1, queued: 99 },
    hotAggregates: [{ aggregateId: "hot", queued: 99 }],
  });
  await clock.advanceAsync(60_000);
  const [partition] = bus.inspect().groups.flatMap(({ partitions }) => partitions);
  expect(partition?.oldestUnsettled?.offset).toBe(0n);
  expect((await bus.lag()).partitions[0]).toMatchObject({
    committed: undefined,
    lagMessages: 200n,
  });
  const stalled = bus.instruments
    .read()
    .find(({ spec }) => spec.name === "bus_partition_stalled_seconds");
  expect(stalled?.value).toBeGreaterThanOrEqual(60);
});

test("closing gives back what waits, settles what runs and leaves no timer", async () => {
  const broker = memoryBroker();
  const clock = manualClock();
  const books = new OrderBooks();
  const gate = new Gate();
  const first = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker, partitions: 2 }),
    plugins: [aggregate({ concurrency: 4 })],
  });
  await first.subscribeWithAggregateId(
    Orders,
    books.handler(() => gate.pass()),
  );
  await first.start();
  await books.publish(first, skewedIds(100, 20));
  await until(() => gate.waiting === 4, { ...soon, what: "four handlers" });
  const closing = first.close({ drainTimeoutMs: 5000 });
  await turns(5);
  expect(first.lanes()).toMatchObject({ running: 4, queued: 0 });
  gate.open();
  expect(await closing).toEqual({ abandonedDeliveries: 0 });
  expect(books.ledger.outstanding).toBe(96);
  expect(clock.pending).toBe(0);

  await using second = createEventBus({
    group: "g",
    transport: memory({ broker }),
    plugins: [aggregate()],
  });
  await second.subscribeWithAggregateId(Orders, books.handler());
  await second.start();
  await books.handledAll();
  // What was handled ahead of something given back comes again.
  await books.check({ maxDuplicates: 4 });
});

test("members that come and go under load lose nothing and keep the order of every aggregate", async () => {
  const broker = memoryBroker();
  const books = new OrderBooks();
  const member = async () => {
    const bus = createEventBus({
      group: "g",
      transport: memory({ broker, partitions: 8 }),
      plugins: [aggregate({ concurrency: 8 })],
    });
    await bus.subscribeWithAggregateId(
      Orders,
      books.handler(() => turns(1)),
    );
    await bus.start();
    return bus;
  };
  const stays = await member();
  const publishing = (async () => {
    for (let round = 0; round < 40; round++) {
      await books.publish(stays, skewedIds(100, 60));
      await turns(3);
    }
  })();
  for (let count = 0; count < 4; count++) {
    const guest = await member();
    await turns(20);
    await guest.close();
  }
  await publishing;
  await books.handledAll();
  await stays.close();
  // At each change of the membership, what was handled ahead of something given back comes again.
  await books.check({ maxDuplicates: 8 * 4000 });
});
