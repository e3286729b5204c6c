import { describe, expect, it } from "vitest";
import { AGGREGATE_METRICS } from "@bus/aggregate";
import { BACKLOG_METRICS } from "@bus/backlog";
import { BUS_METRICS, createEventBus, Poison, RetryLater, Skip } from "@bus/core";
import { DLQ_METRICS } from "@bus/dlq";
import { memory } from "@bus/memory";
import { until } from "@bus/testkit";
import { metrics } from "@bus/metrics";
import { readScrape } from "./support/scrape.ts";
import type { Scrape } from "./support/scrape.ts";
import { never, numbers, Orders, world } from "./support/service.ts";

/** Records fetched twice come from real brokers only: their own test causes them. */
const NOT_ON_MEMORY = new Set([BUS_METRICS.duplicatesDropped.name]);
const caused = new Set<string>();

/** What a metric says in a situation; every metric must be asked for in one. */
function ask(scrape: Scrape, name: string, labels?: Readonly<Record<string, string>>) {
  caused.add(name.replace(/_(?:count|sum|bucket)$/, ""));
  return scrape.sum(name, labels);
}

const ofOrders = { topic: "orders", group: "billing" };

describe("a message that is published and handled", () => {
  it("is counted and timed on its whole way", async () => {
    const { clock, service } = world();
    const { bus, scrape, close } = service();
    await bus.subscribe(Orders, () => new Promise((resolve) => clock.schedule(resolve, 100)));
    const started = bus.start();
    await clock.advanceAsync(100);
    await started;
    await bus.publishMany(Orders, [1, 2, 3]);
    await clock.advanceAsync(50);
    const during = await scrape();
    expect(ask(during, "bus_in_flight_messages", ofOrders)).toBe(3);
    expect(ask(during, "bus_in_flight_bytes", ofOrders)).toBeGreaterThan(3);
    expect(ask(during, "bus_oldest_unsettled_seconds", ofOrders)).toBeCloseTo(0.1, 1);
    await clock.advanceAsync(1_000);
    const after = await scrape();
    expect(ask(after, "bus_messages_published_total", { topic: "orders", outcome: "stored" })).toBe(
      3,
    );
    expect(ask(after, "bus_publish_seconds_count", { topic: "orders" })).toBe(3);
    expect(ask(after, "bus_messages_consumed_total", { ...ofOrders, outcome: "ack" })).toBe(3);
    expect(ask(after, "bus_message_processing_seconds_sum", ofOrders)).toBeCloseTo(0.3, 5);
    expect(ask(after, "bus_message_end_to_end_seconds_count", ofOrders)).toBe(3);
    expect(ask(after, "bus_commit_seconds_count", { group: "billing" })).toBeGreaterThanOrEqual(1);
    expect(ask(after, "bus_in_flight_messages", ofOrders)).toBe(0);
    expect(ask(after, "bus_build_info", { version: "0.1.0" })).toBe(1);
    await close();
  });

  it("that cannot be stored counts as failed", async () => {
    const { broker, service } = world();
    const { bus, scrape, close } = service();
    await bus.start();
    broker.faults.failPublish({ times: 1 });
    await expect(bus.publish(Orders, 1)).rejects.toThrow("made to fail");
    expect(ask(await scrape(), "bus_messages_published_total", { outcome: "failed" })).toBe(1);
    await close();
  });
});

describe("a message that fails", () => {
  it("is counted by class, with every retry, until it is a dead letter that somebody deals with", async () => {
    const { clock, broker, service } = world();
    const { bus, scrape, passing, close } = service();
    await bus.subscribe(Orders, () => {
      throw new Error("never");
    });
    await passing(bus.start());
    const repair = broker.faults.failPublish({ predicate: ({ topic }) => topic === "orders.dlq" });
    await bus.publish(Orders, 1);
    await clock.advanceAsync(2_000);
    const failing = await scrape();
    expect(ask(failing, "bus_processing_errors_total", ofOrders)).toBe(2);
    expect(ask(failing, "bus_retry_attempts_total", ofOrders)).toBe(1);
    expect(
      ask(failing, "bus_dead_letter_failures_total", { topic: "orders" }),
    ).toBeGreaterThanOrEqual(1);
    expect(failing.sum("bus_dead_letter_messages_total", { topic: "orders" }) ?? 0).toBe(0);
    repair();
    await clock.advanceAsync(60_000);
    const stored = await scrape();
    expect(ask(stored, "bus_dead_letter_messages_total", { topic: "orders" })).toBe(1);
    expect(stored.sum("bus_messages_consumed_total", { outcome: "dead_lettered" })).toBe(1);
    const discard = bus.deadLetters.discard({ topic: "orders", by: "test", reason: "a test" });
    await clock.advanceAsync(60_000);
    expect(await discard).toMatchObject({ done: 1 });
    const dealtWith = ask(await scrape(), "bus_dead_letter_dealt_with_total", {
      topic: "orders.dlq",
      outcome: "discarded",
    });
    expect(dealtWith).toBe(1);
    await close();
  });

  it("or is skipped, given back for later, or aborted by a close, is counted as that", async () => {
    const { clock, service } = world();
    const { bus, scrape, passing, close } = service();
    await bus.subscribe(
      Orders,
      ({ value }, { attempt }) => {
        if (value === 1) throw new Skip("not for us");
        if (value === 2 && attempt === 1) throw new RetryLater({ afterMs: 200 });
        return undefined;
      },
      { ordering: "none" },
    );
    await passing(bus.start());
    await bus.publishMany(Orders, [1, 2]);
    await clock.advanceAsync(1_000);
    const text = await scrape();
    for (const [outcome, count] of Object.entries({ skipped: 1, nack: 1, ack: 1 }))
      expect([outcome, text.sum("bus_messages_consumed_total", { outcome })]).toEqual([
        outcome,
        count,
      ]);
    await close();
  });

  it("whose handler exceeds its deadline is counted as overdue", async () => {
    const { clock, service } = world();
    const { bus, scrape, passing, close } = service();
    await bus.subscribe(Orders, () => never, { maxProcessingTimeMs: 1_000 });
    await passing(bus.start());
    await bus.publish(Orders, 1);
    await clock.advanceAsync(5_000);
    expect(ask(await scrape(), "bus_handlers_overdue_total", ofOrders)).toBe(1);
    await close();
  });
});

describe("a service that falls behind", () => {
  it("shows its lag, a backlog, recovery mode and lanes, and none of them once it has caught up", async () => {
    const { clock, service } = world();
    const { bus, scrape, passing, close } = service({
      aggregate: { concurrency: 4, minDwellMs: 0, clearChecks: 1, activeLaneRatio: 1 },
    });
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    await bus.subscribeWithAggregateId(Orders, () => gate);
    await passing(bus.start());
    await bus.publishMany(Orders, numbers(100));
    await clock.advanceAsync(2_500);
    await bus.publishMany(Orders, numbers(100));
    await clock.advanceAsync(2_500);
    const behind = await scrape();
    expect(ask(behind, "bus_consumer_lag_messages", ofOrders)).toBe(200);
    expect(ask(behind, "bus_consumer_lag_seconds", ofOrders)).toBeGreaterThan(2);
    expect(ask(behind, "bus_backlog_detected", { group: "billing" })).toBe(1);
    expect(ask(behind, "bus_recovery_mode_active")).toBe(1);
    expect(ask(behind, "bus_lanes", { state: "active" })).toBe(10);
    open();
    await clock.advanceAsync(10_000);
    const clear = await scrape();
    expect(ask(clear, "bus_consumer_lag_messages", ofOrders)).toBe(0);
    expect(ask(clear, "bus_backlog_detected")).toBe(0);
    expect(ask(clear, "bus_recovery_mode_active")).toBe(0);
    expect(ask(clear, "bus_lanes", { state: "active" })).toBe(0);
    expect(ask(clear, "bus_lane_wait_seconds_count")).toBe(200);
    await close();
  });

  it("and cannot read its lag says that it is unknown", async () => {
    const { clock, broker, service } = world();
    const { bus, transport, scrape, passing, close } = service();
    await bus.subscribe(Orders, () => undefined);
    await passing(bus.start());
    await clock.advanceAsync(2_000);
    expect(ask(await scrape(), "bus_backlog_unknown", { group: "billing" })).toBe(0);
    broker.faults.dropConnection(transport);
    await clock.advanceAsync(2_000);
    const cut = await scrape();
    expect(ask(cut, "bus_backlog_unknown", { group: "billing" })).toBe(1);
    expect(cut.text).toMatch(/bus_consumer_lag_messages\{.*\} NaN/i);
    await close();
  });
});

describe("a partition", () => {
  it("that a poison message holds stalls past sixty seconds, though little else arrives", async () => {
    const { clock, service } = world();
    const { bus, scrape, passing, close } = service();
    await bus.subscribe(Orders, ({ value }) => (value === 1 ? never : undefined));
    await passing(bus.start());
    await bus.publish(Orders, 1);
    const rising: number[] = [];
    for (let round = 0; round < 4; round++) {
      await bus.publish(Orders, 2);
      await clock.advanceAsync(20_000);
      rising.push((await scrape()).greatest("bus_partition_stalled_seconds", ofOrders) ?? 0);
    }
    caused.add("bus_partition_stalled_seconds");
    expect(rising).toEqual(rising.toSorted((one, other) => one - other));
    expect(rising.at(-1)).toBeGreaterThan(60);
    await close();
  });

  it("that is full or held is paused, with the reason, and a held topic is counted", async () => {
    const { clock, service } = world();
    const { bus, scrape, passing, close } = service({
      bus: { holdTopics: ["returns"] },
      memory: { maxInFlightMessages: 2 },
    });
    await bus.subscribe(Orders, () => never);
    await passing(bus.start());
    await bus.publishMany(Orders, numbers(100));
    await clock.advanceAsync(100);
    const text = await scrape();
    expect(ask(text, "bus_paused_partitions", { reason: "inFlight" })).toBe(2);
    expect(ask(text, "bus_paused_partitions", { reason: "held" })).toBe(2);
    expect(ask(text, "bus_held_topics", { group: "billing" })).toBe(1);
    await close();
  });
});

describe("a member", () => {
  it("counts rebalances when another one joins", async () => {
    const { clock, service } = world();
    const first = service();
    await first.bus.subscribe(Orders, () => undefined);
    await first.passing(first.bus.start());
    const before = (await first.scrape()).sum("bus_rebalances_total") ?? 0;
    const second = service();
    await second.bus.subscribe(Orders, () => undefined);
    await second.passing(second.bus.start());
    await clock.advanceAsync(1_000);
    expect(ask(await first.scrape(), "bus_rebalances_total", { group: "billing" })).toBe(
      before + 1,
    );
    await first.close();
    await second.close();
  });

  it("that loses its broker is not connected, and counts its attempts to come back", async () => {
    const { clock, broker, service } = world();
    const { bus, transport, scrape, passing, close } = service();
    await bus.subscribe(Orders, () => undefined);
    await passing(bus.start());
    expect(ask(await scrape(), "bus_connected")).toBe(1);
    const restore = broker.faults.dropConnection(transport);
    await clock.advanceAsync(100);
    const cut = await scrape();
    expect([ask(cut, "bus_connected"), ask(cut, "bus_reconnects_total")]).toEqual([0, 1]);
    restore();
    await clock.advanceAsync(1_000);
    expect(ask(await scrape(), "bus_connected")).toBe(1);
    await close();
  });
});

describe("a handler that blocks the event loop", () => {
  it("is seen, named, and degrades health", async () => {
    await using bus = createEventBus({
      group: "billing",
      transport: memory(),
      loopBlockedAfterMs: 400,
      plugins: [metrics()],
    });
    let done = false;
    await bus.subscribe(Orders, () => {
      const untilMs = performance.now() + 600;
      while (performance.now() < untilMs);
      done = true;
    });
    await bus.start();
    await bus.publish(Orders, 1);
    await until(() => done, { timeoutMs: 5_000, what: "the handler" });
    const isTold = async () => (await bus.health()).components["eventLoop"]?.status === "degraded";
    await until(isTold, { timeoutMs: 5_000, what: "the block to be told" });
    expect((await bus.health()).components["eventLoop"]?.detail).toMatch(
      /blocked for \d\.\d s by the handler of orders\/\d+@0 of billing/,
    );
    const text = readScrape(await bus.metrics.scrape());
    expect(ask(text, "bus_event_loop_blocked_seconds")).toBeGreaterThanOrEqual(0.6);
  });
});

describe("a message that kills", () => {
  it("goes to the dead letters at once, as its handler says", async () => {
    const { clock, service } = world();
    const { bus, scrape, passing, close } = service();
    await bus.subscribe(Orders, () => {
      throw new Poison("broken");
    });
    await passing(bus.start());
    await bus.publish(Orders, 1);
    await clock.advanceAsync(1_000);
    const text = await scrape();
    expect(ask(text, "bus_dead_letter_messages_total", { topic: "orders" })).toBe(1);
    expect(text.sum("bus_retry_attempts_total") ?? 0).toBe(0);
    await close();
  });
});

it("no metric is left that nothing has caused", () => {
  const tables = [BUS_METRICS, AGGREGATE_METRICS, BACKLOG_METRICS, DLQ_METRICS];
  const names = tables.flatMap((table) => Object.values(table).map(({ name }) => name));
  expect(names.filter((name) => !caused.has(name) && !NOT_ON_MEMORY.has(name))).toEqual([]);
});
