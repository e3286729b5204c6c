import { createEventBus, definePlugin } from "@bus/core";
import type { Failure } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import { memory } from "@bus/memory";
import { until } from "@bus/testkit";
import { expect, test } from "vitest";
import { aggregate } from "../src/aggregate-plugin.ts";
import { Gate, Orders, Returns } from "./support/orders.ts";

const soon = { timeoutMs: 5_000 };

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

function textOf(key: Uint8Array | null): string {
  return Buffer.from(key ?? []).toString();
}
