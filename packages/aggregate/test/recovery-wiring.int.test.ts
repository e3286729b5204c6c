import { backlog } from "@bus/backlog";
import { createEventBus } from "@bus/core";
import type { ModeEvent } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock, until } from "@bus/testkit";
import { expect, test } from "vitest";
import { aggregate } from "../src/aggregate-plugin.ts";
import { Gate, OrderBooks, Orders, skewedIds, turns } from "./support/orders.ts";

const soon = { timeoutMs: 8_000 };

function gauge(
  bus: {
    readonly instruments: {
      read(): readonly {
        readonly spec: { readonly name: string };
        readonly labels: object;
        readonly value: number;
      }[];
    };
  },
  name: string,
): Record<string, number> {
  const series = bus.instruments.read().filter(({ spec }) => spec.name === name);
  return Object.fromEntries(
    series.map(({ labels, value }) => [Object.values(labels).join("/"), value]),
  );
}

test("a bus starts in recovery mode, unless told otherwise, and without a detector stays as it is set", async () => {
  const modes: ModeEvent[] = [];
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1 }),
    plugins: [aggregate()],
  });
  bus.observe({ modeChanged: (event) => void modes.push(event) });
  const seen: boolean[] = [];
  await bus.subscribeWithAggregateId(Orders, (_, { recovering }) => void seen.push(recovering));
  await bus.start();
  expect(bus.isInRecoveryMode()).toBe(true);
  expect(gauge(bus, "bus_recovery_mode_active")).toEqual({ "": 1 });
  await bus.publish(Orders, { id: "a", sequence: 0 });
  await until(() => seen.length === 1, { ...soon, what: "the first message" });
  bus.setRecoveryMode(false);
  await bus.publish(Orders, { id: "b", sequence: 0 });
  await until(() => seen.length === 2, { ...soon, what: "the second message" });
  expect(seen).toEqual([true, false]);
  expect(gauge(bus, "bus_recovery_mode_active")).toEqual({ "": 0 });
  expect(gauge(bus, "bus_lanes")).toEqual({ total: 1, active: 0, idle: 1 });
  expect(modes).toMatchObject([{ mode: "normal", reason: "manual" }]);
  await using other = createEventBus({
    transport: memory(),
    plugins: [aggregate({ startMode: "normal" })],
  });
  expect(other.isInRecoveryMode()).toBe(false);
});

test("listeners hear of changes until they leave; one that throws harms nobody", async () => {
  await using bus = createEventBus({ transport: memory(), plugins: [aggregate()] });
  const heard: string[] = [];
  bus.onModeChange(() => {
    throw new Error("bad listener");
  });
  const stop = bus.onModeChange(({ mode, reason }) => void heard.push(`${mode} ${reason}`));
  bus.setRecoveryMode(false);
  bus.setRecoveryMode(false);
  bus.setRecoveryMode(true);
  bus.setRecoveryMode("auto");
  stop();
  bus.setRecoveryMode(false);
  expect(heard).toEqual(["normal manual", "recovery manual"]);
});

test("a mode that is none is refused", () => {
  const bus = createEventBus({ transport: memory(), plugins: [aggregate()] });
  expect(() => bus.setRecoveryMode("on" as never)).toThrow(
    'recovery mode must be true, false or "auto", got "on"',
  );
});

test("a real backlog switches recovery on, messages go through lanes, clear checks switch it off", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  const calls: string[] = [];
  const broker = memoryBroker();
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker, partitions: 4, maxInFlightMessages: 100 }),
    plugins: [
      aggregate({
        startMode: "normal",
        minDwellMs: 5_000,
        clearChecks: 3,
        idleTimeoutMs: 60_000,
        concurrency: 8,
      }),
      backlog({
        maxLagMessages: 50,
        checkIntervalMs: 1_000,
        checkJitter: 0,
        onBacklog: ({ totalLagMessages }) => calls.push(`backlog ${totalLagMessages > 50n}`),
        onClear: () => calls.push("clear"),
      }),
    ],
  });
  bus.onModeChange(({ mode, reason }) => void calls.push(`${mode} ${reason}`));
  let mostLanes = 0;
  let recovering = 0;
  using gate = new Gate();
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(async (_, context) => {
      await gate.pass();
      if (context.recovering) recovering++;
      mostLanes = Math.max(mostLanes, bus.lanes().active);
    }),
  );
  await bus.start();
  expect(bus.backlog.verdict).toBe("unknown");
  await clock.advanceAsync(10);
  expect(bus.backlog.verdict).toBe("clear");
  await books.publish(bus, skewedIds(1000, 40));
  await clock.advanceAsync(990);
  expect(calls).toEqual(
    ["recovery backlog", "backlog true"].toSorted(
      (one, other) => calls.indexOf(one) - calls.indexOf(other),
    ),
  );
  expect(bus.isInRecoveryMode()).toBe(true);
  expect((await bus.health()).components["recovery"]).toMatchObject({
    status: "degraded",
    detail: "recovery mode (backlog)",
  });

  gate.open();
  await until(
    async () => {
      await clock.advanceAsync(20);
      return books.ledger.outstanding === 0;
    },
    { ...soon, what: "the backlog to be handled" },
  );
  expect(recovering).toBe(1000);
  expect(mostLanes).toBeGreaterThan(1);
  expect(bus.lanes()).toMatchObject({ total: 21, idle: 21 });
  expect(bus.isInRecoveryMode()).toBe(true);
  await clock.advanceAsync(10_000);
  expect(calls.slice(2)).toEqual(["clear", "normal cleared"]);
  expect(bus.isInRecoveryMode()).toBe(false);
  expect((await bus.health()).components["recovery"]).toMatchObject({
    status: "healthy",
    detail: "normal mode (cleared)",
  });
  await books.check();
});

test("a lag that cannot be read keeps the recovery mode on", async () => {
  const clock = manualClock();
  const broker = memoryBroker();
  const transport = memory({ broker, partitions: 1, clientId: "reader" });
  await using bus = createEventBus({
    group: "g",
    clock,
    transport,
    plugins: [
      aggregate({ clearChecks: 2, minDwellMs: 0 }),
      backlog({ checkIntervalMs: 1_000, checkJitter: 0 }),
    ],
  });
  await bus.subscribeWithAggregateId(Orders, () => undefined);
  await bus.start();
  await clock.advanceAsync(10);
  expect(bus.backlog.verdict).toBe("clear");
  const reconnect = broker.faults.dropConnection("reader");
  await clock.advanceAsync(5_000);
  expect(bus.backlog.verdict).toBe("unknown");
  expect(bus.isInRecoveryMode()).toBe(true);
  reconnect();
  await clock.advanceAsync(5_000);
  expect(bus.backlog.verdict).toBe("clear");
  expect(bus.isInRecoveryMode()).toBe(false);
});

test("a mode held by hand survives every check, and auto asks for one at once", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ partitions: 1 }),
    plugins: [
      aggregate({ startMode: "normal" }),
      backlog({ maxLagMessages: 5, checkIntervalMs: 1_000, checkJitter: 0 }),
    ],
  });
  using gate = new Gate();
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(() => gate.pass()),
  );
  await bus.start();
  bus.setRecoveryMode(false);
  await books.publish(bus, skewedIds(50, 5));
  await clock.advanceAsync(5_000);
  expect(bus.backlog.verdict).toBe("backlog");
  expect(bus.isInRecoveryMode()).toBe(false);
  expect((await bus.health()).components["recovery"]?.detail).toContain("held by hand");
  bus.setRecoveryMode("auto");
  await clock.advanceAsync(0);
  expect(bus.isInRecoveryMode()).toBe(true);
  gate.open();
});

test.each([["ordered", true] as const, ["overlapping", false] as const])(
  "a hundred flips of the mode under load: %s",
  async (...row) => {
    const [, orderedProcessing] = row;
    const books = new OrderBooks();
    await using bus = createEventBus({
      group: "g",
      transport: memory({ partitions: 4, maxInFlightMessages: 300 }),
      plugins: [
        aggregate({
          orderedProcessing,
          concurrency: 12,
          maxLanes: 12,
          mailboxSize: 5,
          idleTimeoutMs: 1,
        }),
      ],
    });
    let flips = 0;
    const overlaps = { recovery: 0, normal: 0 };
    const busy = new Map<string, { readonly recovering: boolean; readonly sequence: number }[]>();
    await bus.subscribeWithAggregateId(
      Orders,
      books.handler(async ({ value }, { recovering }) => {
        const others = busy.get(value.id) ?? [];
        if (others.length > 0) overlaps[recovering ? "recovery" : "normal"]++;
        busy.set(value.id, [...others, { recovering, sequence: value.sequence }]);
        await turns(value.sequence % 3);
        busy.set(
          value.id,
          (busy.get(value.id) ?? []).filter(({ sequence }) => sequence !== value.sequence),
        );
      }),
    );
    await bus.start();
    const modes: string[] = [];
    bus.onModeChange(({ mode }) => void modes.push(mode));
    while (flips < 100) {
      await books.publish(bus, skewedIds(60, 25));
      bus.setRecoveryMode(flips++ % 2 === 1);
      await turns(2);
    }
    await books.handledAll();
    expect(modes.length).toBe(100);
    await books.check(orderedProcessing ? {} : { order: "free" });
    const verdict = await books.ledger.verdict();
    expect(verdict.overlapped.count > 0).toBe(!orderedProcessing);
    expect(bus.lanes()).toMatchObject({ active: 0, queued: 0, running: 0, waiting: 0, passing: 0 });
  },
);
