import { createEventBus, definePlugin } from "@bus/core";
import type { HandlerContext, IncomingMessage, Message } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";
import { describe, expect, test } from "vitest";
import { aggregate } from "../src/aggregate-plugin.ts";
import type { Mode } from "../src/route.ts";
import { OrderBooks, Orders } from "./support/orders.ts";
import type { Order } from "./support/orders.ts";

const CONCURRENCY = 64;
const FAILING = 100;
const GOOD = 9_900;
const HANDLER_MS = 5;

/** Failing aggregates first and in between, so that each has failed before the good ones are through. */
function ids(failing: number): readonly string[] {
  const every = GOOD / FAILING;
  return Array.from({ length: FAILING }, (_, group) => [
    ...(group < failing ? [`bad-${group}`] : []),
    ...Array.from({ length: every }, (__, index) => `good-${(group * every + index) % 997}`),
  ]).flat();
}

const later = (clock: ManualClock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.schedule(resolve, ms));

interface Run {
  /** Milliseconds of the clock until every good message was handled. */
  readonly tookMs: number;
  readonly peakRunning: number;
  readonly retries: number;
}

/** Handle the good messages beside a number of aggregates that fail for ever. */
async function handleBeside(failing: number, mode: Mode): Promise<Run> {
  const clock = manualClock();
  const books = new OrderBooks();
  let good = 0;
  let retries = 0;
  const bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker: memoryBroker({ partitions: 8 }) }),
    plugins: [aggregate({ concurrency: CONCURRENCY, startMode: mode })],
  });
  const work = async (message: Message<Order>, context: HandlerContext): Promise<void> => {
    await later(clock, HANDLER_MS);
    if (context.attempt > 1) retries++;
    if (message.value.id.startsWith("bad-")) throw new Error("never");
    good++;
  };
  await bus.subscribeWithAggregateId(Orders, books.handler(work));
  await bus.start();
  await books.publish(bus, ids(failing));
  const startedMs = clock.monotonicMs();
  while (good < GOOD && clock.monotonicMs() - startedMs < 60_000) await clock.advanceAsync(1);
  const tookMs = clock.monotonicMs() - startedMs;
  const closing = bus.close({ drainTimeoutMs: 1_000 });
  await clock.advanceAsync(1_000);
  expect(await closing).toEqual({ abandonedDeliveries: 0 });
  return { tookMs, peakRunning: books.peakRunning, retries };
}

describe.each<Mode>(["recovery", "normal"])("in %s mode", (mode) => {
  test("more failing aggregates than handlers at once leave all of these to the others", async () => {
    const alone = await handleBeside(0, mode);
    const beside = await handleBeside(FAILING, mode);
    expect(beside.peakRunning).toBe(CONCURRENCY);
    expect(beside.retries).toBeGreaterThan(FAILING);
    expect(beside.tookMs).toBeLessThanOrEqual(alone.tookMs * 1.25);
  }, 30_000);
});

/** Milliseconds of the clock from publish to the end of the handler, of 5,000 good messages at two thirds of the load. */
async function latenciesBeside(failing: (index: number) => string | undefined): Promise<number[]> {
  const clock = manualClock();
  const broker = memoryBroker({ partitions: 8 });
  const seen: number[] = [];
  const publishedAtMs = new Map<string, number>();
  const bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker }),
    plugins: [aggregate({ concurrency: 16 })],
  });
  await bus.subscribeWithAggregateId(Orders, async ({ value }) => {
    await later(clock, HANDLER_MS);
    if (value.id.startsWith("bad-")) throw new Error("never");
    seen.push(clock.now() - (publishedAtMs.get(`${value.id}/${value.sequence}`) ?? Number.NaN));
  });
  await bus.start();
  for (let index = 0; index < 5_000; index += 10) {
    const good = Array.from({ length: 10 }, (_, offset) => ({
      id: `good-${(index + offset) % 499}`,
      sequence: index + offset,
    }));
    const bad = failing(index);
    for (const { id, sequence } of good) publishedAtMs.set(`${id}/${sequence}`, clock.now());
    const values = bad === undefined ? good : [...good, { id: bad, sequence: index }];
    await bus.publishMany(Orders, values);
    await clock.advanceAsync(5);
  }
  for (let ms = 0; seen.length < 5_000 && ms < 60_000; ms++) await clock.advanceAsync(1);
  const closing = bus.close({ drainTimeoutMs: 1_000 });
  await clock.advanceAsync(1_000);
  await closing;
  return seen;
}

function p99(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length * 0.99)] ?? 0;
}

test.each([
  ["one aggregate with fifty messages", (index: number) => (index < 500 ? "bad-0" : undefined)],
  ["one message in a hundred", (index: number) => (index % 100 === 0 ? `bad-${index}` : undefined)],
] as const)(
  "beside %s failing for ever, 99 of 100 others take at most twice as long",
  async (...row) => {
    const [, failing] = row;
    const alone = await latenciesBeside(() => undefined);
    const beside = await latenciesBeside(failing);
    expect([alone.length, beside.length]).toEqual([5_000, 5_000]);
    expect(p99(alone)).toBeGreaterThanOrEqual(HANDLER_MS);
    expect(p99(beside)).toBeLessThanOrEqual(2 * p99(alone));
  },
  30_000,
);

/** Failures are dead letters at once, and none of them can be stored: each try takes long and fails. */
function brokenDeadLetters(clock: ManualClock) {
  return definePlugin({
    name: "broken",
    options: optionTable({}),
    create: () => ({
      install(host) {
        host.onFailure("retry", () => ({ kind: "deadLetter", errorClass: "POISON" }));
        host.onFailure("deadLetter", async () => {
          await later(clock, 5_000);
          throw new Error("destination is down");
        });
        return { api: {} };
      },
    }),
  })();
}

test("dead letters that cannot be stored hold their aggregates and none of the handlers", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  let good = 0;
  const bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker: memoryBroker({ partitions: 8 }) }),
    plugins: [aggregate({ concurrency: 4 }), brokenDeadLetters(clock)],
  });
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(({ value }) => {
      if (value.id.startsWith("bad-")) throw new SyntaxError("poison");
      good++;
    }),
  );
  await bus.start();
  await books.publish(bus, ids(FAILING));
  await clock.advanceAsync(20_000);
  expect(good).toBe(GOOD);
  expect(books.ledger.outstanding).toBe(FAILING);
  expect(bus.lanes()).toMatchObject({ active: FAILING, running: 0 });
  const closing = bus.close({ drainTimeoutMs: 10_000 });
  await clock.advanceAsync(10_000);
  expect(await closing).toEqual({ abandonedDeliveries: 0 });
});

test("messages whose aggregate cannot be told hold none of the handlers while they fail", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  let good = 0;
  const bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker: memoryBroker({ partitions: 8 }) }),
    plugins: [aggregate({ concurrency: 4 })],
  });
  const aggregateIdExtractor = ({ key }: IncomingMessage): string => {
    const id = Buffer.from(key ?? []).toString();
    if (id.startsWith("bad-")) throw new Error("no aggregate");
    return id;
  };
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(() => void good++),
    { aggregateIdExtractor },
  );
  await bus.start();
  await books.publish(bus, ids(FAILING));
  await clock.advanceAsync(50);
  expect(good).toBe(GOOD);
  expect(bus.lanes()).toMatchObject({ running: 0, retrying: FAILING });
  await bus.close();
});
