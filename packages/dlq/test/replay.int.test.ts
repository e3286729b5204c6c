import { expect, test } from "vitest";
import { memory, memoryBroker } from "@bus/memory";
import type { MemoryBroker } from "@bus/memory";
import { until } from "@bus/testkit";
import { BusTransportError } from "@bus/core";
import type { Handler } from "@bus/core";
import { bytes, failingBus, text } from "./support/failing-bus.ts";
import type { DlqBus } from "./support/failing-bus.ts";

/** A topic whose messages all fail until they are repaired. */
class Orders {
  readonly broker: MemoryBroker = memoryBroker({ partitions: 4 });
  readonly handled: string[] = [];
  isRepaired = false;

  readonly handler: Handler<Uint8Array> = ({ value }) => {
    if (!this.isRepaired) throw new TypeError("broken");
    this.handled.push(text(value));
  };

  bus(options: Partial<Parameters<typeof failingBus>[0]> = {}): Promise<DlqBus> {
    const transport = memory({ broker: this.broker });
    return failingBus({ transport, topic: "orders", handler: this.handler, ...options });
  }

  /** A bus that handles nothing, as an operator's tool. */
  desk(): Promise<DlqBus> {
    return failingBus({ transport: memory({ broker: this.broker }), topic: "orders" });
  }

  async kill(bus: DlqBus, count: number, keys = 5): Promise<void> {
    const before = this.stored("orders.dlq");
    for (let n = 0; n < count; n += 1)
      await bus.publish("orders", bytes(`${n % keys}:${Math.floor(n / keys)}`), {
        key: `key-${n % keys}`,
      });
    await until(() => this.stored("orders.dlq") === before + count, {
      timeoutMs: 10_000,
      what: `${count} dead letters`,
      state: () => this.stored("orders.dlq"),
    });
  }

  stored(topic: string): number {
    const partitions = this.broker.describe().partitions.filter((one) => one.topic === topic);
    return partitions.reduce((sum, { messages }) => sum + messages, 0);
  }

  async untilHandled(count: number): Promise<void> {
    await until(() => this.handled.length >= count, {
      timeoutMs: 10_000,
      what: `${count} handled`,
      state: () => this.handled.length,
    });
  }
}

/** Sequences of each key in the order in which they were handled. */
function sequences(handled: readonly string[]): Readonly<Record<string, readonly number[]>> {
  const found: Record<string, number[]> = {};
  for (const one of handled) {
    const [key = "", sequence] = one.split(":");
    (found[key] ??= []).push(Number(sequence));
  }
  return found;
}

test("replays what failed once it can succeed, in order of each key, and moves nothing the second time", async () => {
  const orders = new Orders();
  await using bus = await orders.bus();
  await orders.kill(bus, 50);
  orders.isRepaired = true;
  const first = await bus.deadLetters.replay({ topic: "orders" });
  expect(first).toMatchObject({ matched: 50, done: 50, repeated: 0, failed: 0, doneBefore: 0 });
  await orders.untilHandled(50);
  for (const sequence of Object.values(sequences(orders.handled)))
    expect(sequence).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const second = await bus.deadLetters.replay({ topic: "orders" });
  expect(second).toMatchObject({ matched: 0, done: 0, doneBefore: 50 });
  expect(orders.stored("orders")).toBe(100);
});

test("a dry run counts and leaves no trace", async () => {
  const orders = new Orders();
  await using bus = await orders.bus();
  await orders.kill(bus, 10);
  const report = await bus.deadLetters.replay({ topic: "orders", dryRun: true });
  expect(report).toMatchObject({ matched: 10, done: 0, run: "" });
  expect(orders.stored("orders.dlq.log")).toBe(0);
  expect(orders.stored("orders")).toBe(10);
});

test("filters by every condition, and stops at the limit", async () => {
  const orders = new Orders();
  await using bus = await orders.bus({
    handler: ({ value }) => {
      throw text(value).startsWith("0") ? new TypeError("bug") : new SyntaxError("poison");
    },
  });
  await orders.kill(bus, 20);
  const count = async (filter: object): Promise<number> =>
    (await bus.deadLetters.replay({ topic: "orders", dryRun: true, ...filter })).matched;
  const [listed] = await bus.deadLetters.list({ topic: "orders", errorClass: "UNRECOVERABLE" });
  expect(await count({ errorClass: "UNRECOVERABLE" })).toBe(4);
  expect(await count({ errorName: "SyntaxError" })).toBe(16);
  expect(await count({ fingerprint: listed?.fingerprint })).toBe(4);
  expect(await count({ ids: [listed?.id] })).toBe(1);
  expect(await count({ group: "nobody" })).toBe(0);
  expect(await count({ failedFromMs: listed?.lastFailedAtMs })).toBeGreaterThan(0);
  expect(await count({ failedBeforeMs: 1 })).toBe(0);
  expect(await count({ limit: 7 })).toBe(7);
  await expect(bus.deadLetters.replay({})).rejects.toMatchObject({ code: "BUS_CONFIG" });
  await expect(bus.deadLetters.list({ topics: "orders" } as object)).rejects.toThrow("topics");
});

test("lists and shows dead letters with their state, and discards with an audit record", async () => {
  const orders = new Orders();
  await using bus = await orders.bus();
  await orders.kill(bus, 5);
  const [first, second] = await bus.deadLetters.list({ topic: "orders" });
  const ids = [first?.id ?? ""];
  const report = await bus.deadLetters.discard({
    topic: "orders",
    ids,
    reason: "test order",
    by: "ops",
  });
  expect(report).toMatchObject({ done: 1 });
  const [shown] = await bus.deadLetters.inspect({ topic: "orders", id: ids[0] ?? "" });
  expect(shown).toMatchObject({
    state: "discarded",
    deaths: 1,
    errorName: "TypeError",
    log: { kind: "discarded", by: "ops", reason: "test order", run: report.run, topic: "orders" },
  });
  expect(text(shown?.value ?? null)).toMatch(/^\d:0$/);
  const states = await bus.deadLetters.list({ topic: "orders", state: "all" });
  expect(states.map(({ state }) => state).toSorted()).toEqual([
    "discarded",
    "open",
    "open",
    "open",
    "open",
  ]);
  expect(await bus.deadLetters.replay({ topic: "orders", ids })).toMatchObject({
    doneBefore: 1,
    done: 0,
  });
  expect(await bus.deadLetters.inspect({ topic: "orders", id: "unknown" })).toEqual([]);
  expect(second?.state).toBe("open");
});

test("a message that dies again keeps its id, counts its deaths and can be replayed again", async () => {
  const orders = new Orders();
  await using bus = await orders.bus();
  await orders.kill(bus, 1);
  await bus.deadLetters.replay({ topic: "orders" });
  await until(() => orders.stored("orders.dlq") === 2, {
    timeoutMs: 5_000,
    what: "a second death",
  });
  const all = await bus.deadLetters.list({ topic: "orders", state: "all" });
  expect(all.map(({ deaths, state }) => [deaths, state])).toEqual([
    [1, "replayed"],
    [2, "open"],
  ]);
  expect(new Set(all.map(({ id }) => id)).size).toBe(1);
  orders.isRepaired = true;
  expect(await bus.deadLetters.replay({ topic: "orders" })).toMatchObject({
    done: 1,
    doneBefore: 1,
  });
  await orders.untilHandled(1);
});

test("two racing runs publish every dead letter once", async () => {
  const orders = new Orders();
  await using bus = await orders.bus();
  await orders.kill(bus, 300, 20);
  orders.isRepaired = true;
  await using left = await orders.desk();
  await using right = await orders.desk();
  const reports = await Promise.all(
    [left, right, left].map((desk) => desk.deadLetters.replay({ topic: "orders" })),
  );
  expect(reports.map(({ done }) => done).toSorted((a, b) => a - b)).toEqual([0, 0, 300]);
  expect(orders.stored("orders")).toBe(600);
});

test("a run whose process dies is gone on with: nothing is lost, what it may have published is counted", async () => {
  const orders = new Orders();
  await using bus = await orders.bus();
  await orders.kill(bus, 500, 10);
  orders.isRepaired = true;
  const dying = memory({ broker: orders.broker, clientId: "dying" });
  const desk = await failingBus({ transport: dying, topic: "orders" });
  const run = desk.deadLetters.replay({ topic: "orders", ratePerSecond: 2_000, concurrency: 1 });
  run.catch(() => undefined);
  await until(() => orders.stored("orders") > 560, { timeoutMs: 10_000, what: "some replayed" });
  orders.broker.faults.crash("dying");
  const before = orders.stored("orders") - 500;
  expect(before).toBeLessThan(500);
  const report = await bus.deadLetters.replay({ topic: "orders" });
  expect(report.done + report.doneBefore).toBe(500);
  expect(report.repeated).toBeLessThanOrEqual(200);
  await orders.untilHandled(500 + before - report.doneBefore);
  expect(new Set(orders.handled).size).toBe(500);
  expect(orders.handled.length - 500).toBeLessThanOrEqual(report.repeated);
  await desk.close().catch(() => undefined);
});

test("a message that cannot be published again holds back the later ones of its key and no others", async () => {
  const orders = new Orders();
  await using bus = await orders.bus();
  await orders.kill(bus, 20, 2);
  orders.isRepaired = true;
  await using small = await failingBus({
    transport: memory({ broker: orders.broker, clientId: "small" }),
    topic: "orders",
  });
  const heal = orders.broker.faults.failPublish({
    predicate: (message) => message.topic === "orders" && text(message.value) === "0:4",
    error: new BusTransportError("BUS_MESSAGE_TOO_LARGE", "too large"),
  });
  const report = await small.deadLetters.replay({ topic: "orders" });
  expect(report).toMatchObject({ done: 14, failed: 1, heldBack: 5 });
  expect(report.failures).toHaveLength(1);
  heal();
  expect(await small.deadLetters.replay({ topic: "orders" })).toMatchObject({
    done: 6,
    repeated: 0,
  });
  await orders.untilHandled(20);
  for (const sequence of Object.values(sequences(orders.handled)))
    expect(sequence).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("keeps to its rate, tells its progress, and ends when it is told to", async () => {
  const orders = new Orders();
  await using bus = await orders.bus();
  await orders.kill(bus, 60, 60);
  const seen: number[] = [];
  const started = performance.now();
  await bus.deadLetters.replay({
    topic: "orders",
    ratePerSecond: 100,
    limit: 40,
    onProgress: ({ done }) => {
      seen.push(done);
      throw new Error("a callback that throws changes nothing");
    },
  });
  expect(performance.now() - started).toBeGreaterThan(290);
  expect(seen.at(-1)).toBe(40);
  const stop = new AbortController();
  const slow = bus.deadLetters.replay({ topic: "orders", ratePerSecond: 1, signal: stop.signal });
  slow.catch(() => undefined);
  await until(() => orders.stored("orders") > 100, {
    timeoutMs: 5_000,
    what: "the slow run to begin",
  });
  stop.abort();
  await expect(slow).rejects.toMatchObject({ code: "BUS_ABORTED" });
  const rest = await bus.deadLetters.replay({ topic: "orders" });
  expect(rest.repeated).toBe(0);
  expect(orders.stored("orders")).toBeGreaterThanOrEqual(120);
});

test("cannot be used before the bus runs or after it has closed, and ends with it", async () => {
  const orders = new Orders();
  const bus = await orders.bus();
  await orders.kill(bus, 60, 60);
  const run = bus.deadLetters.replay({ topic: "orders", ratePerSecond: 1 });
  run.catch(() => undefined);
  await until(() => orders.stored("orders") > 60, { timeoutMs: 5_000, what: "the run to begin" });
  await bus.close();
  await expect(run).rejects.toMatchObject({ code: "BUS_ABORTED" });
  await expect(bus.deadLetters.list({ topic: "orders" })).rejects.toMatchObject({
    code: "BUS_CLOSED",
  });
});
