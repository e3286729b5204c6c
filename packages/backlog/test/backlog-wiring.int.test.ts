import { createEventBus } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock } from "@bus/testkit";
import { expect, test } from "vitest";
import { backlog } from "../src/backlog-plugin.ts";
import type { BacklogReport } from "../src/backlog-report.ts";
import {
  advanceUntil,
  driven,
  Gate,
  gaugesOf,
  numbers,
  Orders,
  Returns,
} from "./support/numbers.ts";

test("a backlog made on a real bus is detected, told, measured, and told again when it is gone", async () => {
  const clock = manualClock({ startMs: 1_000_000 });
  const calls: string[] = [];
  const told = (what: string) => (report: BacklogReport) =>
    void calls.push(`${what} ${report.verdict} ${report.totalLagMessages}`);
  await using bus = createEventBus({
    group: "billing",
    clock,
    transport: memory({ partitions: 2 }),
    plugins: [
      backlog({
        maxLagMessages: 20,
        checkIntervalMs: 1_000,
        checkJitter: 0,
        onBacklog: told("begins"),
        onClear: told("ends"),
      }),
    ],
  });
  const stop = bus.backlog.onCheck(told("check"));
  using gate = new Gate();
  await bus.subscribe(Orders, gate.pass);
  await bus.start();
  await clock.advanceAsync(10);
  expect(bus.backlog.verdict).toBe("clear");
  expect((await bus.health()).components["backlog"]).toMatchObject({
    status: "healthy",
    detail: "0 messages behind",
  });

  await bus.publishMany(Orders, numbers(100));
  await clock.advanceAsync(990);
  expect(calls).toEqual(["check clear 0", "begins backlog 100", "check backlog 100"]);
  expect(bus.backlog.detail()).toMatchObject({
    verdict: "backlog",
    totalLagMessages: 100n,
    consumedPerSecond: 0,
    producedPerSecond: 100,
    timeToClearMs: undefined,
    groups: [{ group: "billing", verdict: "backlog", lagMessages: 100n }],
  });
  expect(
    bus.backlog.detail()?.partitions.map(({ topic, partition }) => `${topic}/${partition}`),
  ).toEqual(["orders/0", "orders/1"]);
  expect(
    bus.backlog
      .detail()
      ?.partitions.every(({ oldestAgeMs }) => oldestAgeMs !== undefined && oldestAgeMs >= 900),
  ).toBe(true);
  expect(gaugesOf(bus, "bus_backlog_detected")).toEqual({ billing: 1 });
  expect(gaugesOf(bus, "bus_backlog_unknown")).toEqual({ billing: 0 });
  const lags = gaugesOf(bus, "bus_consumer_lag_messages");
  expect(Object.values(lags).reduce((sum, lag) => sum + lag, 0)).toBe(100);
  expect(Math.max(...Object.values(gaugesOf(bus, "bus_consumer_lag_seconds")))).toBeGreaterThan(
    0.9,
  );
  expect((await bus.health()).components["backlog"]).toMatchObject({
    status: "degraded",
    detail: "backlog: 100 messages behind",
  });
  expect(await bus.backlog.isNoBacklog()).toBe(false);

  gate.open();
  await advanceUntil(clock, () => bus.backlog.verdict === "clear", "the backlog to end");
  expect(calls.filter((call) => !call.startsWith("check"))).toEqual([
    "begins backlog 100",
    "ends clear 0",
  ]);
  expect(await bus.backlog.isNoBacklog()).toBe(true);
  expect(gaugesOf(bus, "bus_backlog_detected")).toEqual({ billing: 0 });
  stop();
});

test("one old message is a backlog, a new one is not", async () => {
  const clock = manualClock({ startMs: 1_000_000 });
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ partitions: 1 }),
    plugins: [backlog({ maxLagMs: 30_000, checkIntervalMs: 10_000, checkJitter: 0 })],
  });
  using gate = new Gate();
  await bus.subscribe(Orders, gate.pass);
  await bus.start();
  await bus.publish(Orders, 1);
  await clock.advanceAsync(30_000);
  expect(bus.backlog.verdict).toBe("clear");
  await clock.advanceAsync(10_000);
  expect(bus.backlog.verdict).toBe("backlog");
  expect(bus.backlog.detail()?.partitions[0]).toMatchObject({
    lagMessages: 1n,
    oldestAgeMs: 40_000,
    late: true,
  });
  gate.open();
  await advanceUntil(clock, () => bus.backlog.verdict === "clear", "the message to be handled");
});

test("old messages of partitions that another process should handle are found by one look-up", async () => {
  const clock = manualClock({ startMs: 1_000_000 });
  const broker = memoryBroker();
  await using writer = createEventBus({ clock, transport: memory({ broker, partitions: 1 }) });
  await writer.start();
  await writer.publish(Orders, 1);
  await clock.advanceAsync(31_000);
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker }),
    plugins: [backlog({ maxLagMs: 30_000 })],
  });
  await bus.subscribe(Orders, () => undefined);
  expect(await bus.backlog.check()).toBe("unknown");
  await using other = createEventBus({ group: "g", clock, transport: memory({ broker }) });
  using gate = new Gate();
  await other.subscribe(Orders, gate.pass);
  await other.start();
  await advanceUntil(clock, () => gate.waiting === 1, "the other member to take the message");
  await driven(clock, bus.start());
  await clock.advanceAsync(0);
  expect(bus.backlog.verdict).toBe("backlog");
  expect(bus.backlog.detail()?.partitions[0]).toMatchObject({ oldestAgeMs: 30_000, late: true });
});

test("each group of a bus has a verdict of its own", async () => {
  const clock = manualClock();
  await using bus = createEventBus({
    clock,
    transport: memory({ partitions: 1 }),
    plugins: [backlog({ maxLagMessages: 5, checkIntervalMs: 1_000, checkJitter: 0 })],
  });
  using gate = new Gate();
  await bus.subscribe(Orders, gate.pass, { group: "slow" });
  await bus.subscribe(Orders, () => undefined, { group: "fast" });
  await bus.subscribe(Returns, () => undefined, { group: "fast" });
  await bus.start();
  await bus.publishMany(Orders, numbers(50));
  await clock.advanceAsync(2_000);
  const verdicts = Object.fromEntries(
    (bus.backlog.detail()?.groups ?? []).map(({ group, verdict }) => [group, verdict]),
  );
  expect(verdicts).toEqual({ slow: "backlog", fast: "clear" });
  expect(gaugesOf(bus, "bus_backlog_detected")).toEqual({ slow: 1, fast: 0 });
  gate.open();
});

test("a broker that is out of reach is unknown: degraded, not clear, no lag of zero", async () => {
  const clock = manualClock();
  const broker = memoryBroker();
  await using bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker, partitions: 1, clientId: "cut" }),
    plugins: [backlog({ checkIntervalMs: 1_000, checkJitter: 0 })],
  });
  await bus.subscribe(Orders, () => undefined);
  await bus.start();
  await clock.advanceAsync(10);
  expect(gaugesOf(bus, "bus_consumer_lag_messages")).toEqual({ "g/orders/0": 0 });
  const reconnect = broker.faults.dropConnection("cut");
  await clock.advanceAsync(1_000);
  expect(bus.backlog.verdict).toBe("unknown");
  expect(await bus.backlog.isNoBacklog()).toBe(false);
  expect(gaugesOf(bus, "bus_backlog_unknown")).toEqual({ g: 1 });
  expect(gaugesOf(bus, "bus_consumer_lag_messages")).toEqual({ "g/orders/0": Number.NaN });
  expect((await bus.health()).components["backlog"]).toMatchObject({ status: "degraded" });
  reconnect();
  await advanceUntil(clock, () => bus.backlog.verdict === "clear", "the lag to be read again");
});
