import { createEventBus, definePlugin } from "@bus/core";
import type { Failure } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock, until } from "@bus/testkit";
import { expect, test } from "vitest";
import { aggregate } from "../src/aggregate-plugin.ts";
import { Gate, OrderBooks, Orders, Returns, skewedIds, turns } from "./support/orders.ts";

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

test("the extractor of a subscription decides which messages wait for each other", async () => {
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1 }),
    plugins: [aggregate()],
  });
  using gate = new Gate();
  const started: string[] = [];
  await bus.subscribeWithAggregateId(
    Orders,
    async ({ value }) => {
      started.push(value.id);
      await gate.pass();
    },
    { aggregateIdExtractor: ({ key }) => textOf(key).split("-")[0] },
  );
  await bus.start();
  await bus.publishMany(
    Orders,
    ["a-1", "a-2", "b-1"].map((id) => ({ id, sequence: 0 })),
  );
  await until(() => gate.waiting === 2, { ...soon, what: "two handlers" });
  expect(started).toEqual(["a-1", "b-1"]);
  expect(bus.hotAggregates(1)).toMatchObject([
    { aggregateId: "a", topic: "orders", queued: 1, running: 1 },
  ]);
  gate.open();
});

test("the header aggregate-id wins over the key", async () => {
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1 }),
    plugins: [aggregate()],
  });
  using gate = new Gate();
  await bus.subscribe(Orders, () => gate.pass(), { ordering: "key" });
  await bus.start();
  for (const id of ["a", "b", "c"]) {
    await bus.publish(
      Orders,
      { id, sequence: 0 },
      { headers: id === "c" ? [] : [["aggregate-id", "same"]] },
    );
  }
  await until(() => bus.lanes().queued === 1 && gate.waiting === 2, {
    ...soon,
    what: "one message behind the other",
  });
  expect(bus.hotAggregates(9).map(({ aggregateId }) => aggregateId)).toEqual(["same", "c"]);
  gate.open();
});

test("messages without an aggregate are handled at once, up to the concurrency", async () => {
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1 }),
    plugins: [aggregate({ concurrency: 3 })],
  });
  using gate = new Gate();
  await bus.subscribe("raw", () => gate.pass(), { ordering: "key" });
  await bus.start();
  for (let count = 0; count < 5; count++) await bus.publish("raw", Buffer.from("x"));
  await until(() => bus.lanes().queued === 2, { ...soon, what: "two messages to wait" });
  expect(bus.lanes()).toMatchObject({ running: 3, total: 0 });
  gate.open();
});

test("what the extractor throws fails its message, the handler is not called, others go on", async () => {
  const failures: Failure[] = [];
  const skipAfterTwo = definePlugin({
    name: "skip",
    options: optionTable<object, object>({}),
    create: () => ({
      install(host) {
        host.onFailure("retry", (failure) => {
          failures.push(failure);
          if (failure.attempt < 2) return { kind: "retry", afterMs: 0, errorClass: "RETRYABLE" };
          return { kind: "skip", errorClass: "SKIP", reason: "seen enough" };
        });
        return { api: {} };
      },
    }),
  });
  const handled: string[] = [];
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1 }),
    plugins: [aggregate(), skipAfterTwo()],
  });
  await bus.subscribeWithAggregateId(Orders, ({ value }) => void handled.push(value.id), {
    aggregateIdExtractor: ({ key }) => {
      if (textOf(key) === "bad") throw new RangeError("no aggregate in bad");
      return textOf(key);
    },
  });
  await bus.start();
  await bus.publishMany(
    Orders,
    ["a", "bad", "b"].map((id) => ({ id, sequence: 0 })),
  );
  await until(
    async () => (await bus.lag()).partitions.every(({ lagMessages }) => lagMessages === 0n),
    { ...soon, what: "everything to be committed" },
  );
  expect(handled.toSorted()).toEqual(["a", "b"]);
  expect(failures.map(({ error, stage, attempt }) => [String(error), stage, attempt])).toEqual([
    ["RangeError: no aggregate in bad", "handler", 1],
    ["RangeError: no aggregate in bad", "handler", 2],
  ]);
});

test.each([
  ["aggregate", 1],
  ["topic", 2],
] as const)(
  "with key scope %s, one aggregate of two topics has %i handlers at once",
  async (keyScope, expected) => {
    await using bus = createEventBus({
      group: "g",
      transport: memory({ partitions: 1 }),
      plugins: [aggregate({ keyScope })],
    });
    using gate = new Gate();
    await bus.subscribeWithAggregateId(Orders, () => gate.pass());
    await bus.subscribeWithAggregateId(Returns, () => gate.pass());
    await bus.start();
    await bus.publish(Orders, { id: "a", sequence: 0 });
    await bus.publish(Returns, { id: "a", sequence: 0 });
    await until(() => bus.lanes().running + bus.lanes().queued === 2, {
      ...soon,
      what: "both messages",
    });
    expect(gate.waiting).toBe(expected);
    gate.open();
  },
);

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
  await books.check();
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
  await books.check();
});

function textOf(key: Uint8Array | null): string {
  return Buffer.from(key ?? []).toString();
}
