import { backlog } from "@bus/backlog";
import { BusError, createEventBus, createPluginRegistry } from "@bus/core";
import { memory } from "@bus/memory";
import { manualClock, until } from "@bus/testkit";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { AGGREGATE_DEFAULTS } from "../src/aggregate-options.ts";
import { aggregate } from "../src/aggregate-plugin.ts";
import { Gate, OrderBooks, Orders, skewedIds } from "./support/orders.ts";

const soon = { timeoutMs: 5_000 };
const registry = createPluginRegistry([memory, aggregate, backlog]);

/** The numbers of the system that this one follows. */
const FOLLOWED = `
group: orders
transport:
  memory: { partitions: 2 }
plugins:
  aggregate:
    concurrency: 64
    maxLanes: 1000
    mailboxSize: 100
    idleTimeoutMs: 300000
    orderedProcessing: false
    startMode: recovery
    clearChecks: 3
    activeLaneRatio: 0.1
    rateLimit: { perSecond: 1000, burst: 1000 }
  backlog:
    maxLagMessages: 10
    maxLagMs: 30000
    checkIntervalMs: 180000
    checkJitter: 0
`;

async function failureOf(action: () => unknown): Promise<BusError> {
  try {
    await action();
  } catch (error) {
    if (BusError.is(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("a bus from YAML has the members, the options and the behaviour of one from code", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  await using bus = registry.createEventBus(parse(FOLLOWED), { clock });
  expect(bus.describe()["plugins"]).toMatchObject({
    aggregate: {
      ...AGGREGATE_DEFAULTS,
      orderedProcessing: false,
      rateLimit: { perSecond: 1000, burst: 1000 },
    },
    backlog: { maxLagMessages: 10, checkIntervalMs: 180_000, checkTimeoutMs: 5_000 },
  });
  using gate = new Gate();
  const modes: string[] = [];
  bus.onModeChange?.(({ mode, reason }) => void modes.push(`${mode} ${reason}`));
  await bus.subscribeWithAggregateId?.(
    Orders,
    books.handler(() => gate.pass()),
  );
  await bus.start();
  expect(bus.isInRecoveryMode?.()).toBe(true);
  gate.open();
  await clock.advanceAsync(10);
  await clock.advanceAsync(180_000 * 2);
  expect(modes).toEqual(["normal cleared"]);
  await books.publish(bus, skewedIds(20, 5));
  await until(
    async () => {
      await clock.advanceAsync(5);
      return books.ledger.outstanding === 0;
    },
    { ...soon, what: "every message" },
  );
  await books.check({ order: "free" });
});

test("a backlog under YAML switches recovery on and fills the lanes", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  const config: unknown = parse(
    FOLLOWED.replace("startMode: recovery", "startMode: normal").replace(
      "orderedProcessing: false",
      "orderedProcessing: true",
    ),
  );
  await using bus = registry.createEventBus(config, { clock });
  using gate = new Gate();
  await bus.subscribeWithAggregateId?.(
    Orders,
    books.handler(() => gate.pass()),
  );
  await bus.start();
  await books.publish(bus, skewedIds(100, 10));
  await clock.advanceAsync(180_000);
  expect(bus.backlog?.verdict).toBe("backlog");
  expect(bus.isInRecoveryMode?.()).toBe(true);
  await books.publish(bus, skewedIds(20, 10));
  await clock.advanceAsync(10);
  expect(bus.lanes?.().active).toBeGreaterThan(0);
  gate.open();
  await until(
    async () => {
      await clock.advanceAsync(5);
      return books.ledger.outstanding === 0;
    },
    { ...soon, what: "every message" },
  );
  await books.check();
});

test("code fills in what a file cannot hold", async () => {
  const asked: string[] = [];
  const aggregateIdExtractor = ({ key }: { readonly key: Uint8Array | null }): string => {
    asked.push(Buffer.from(key ?? []).toString());
    return "same";
  };
  await using bus = registry.createEventBus(
    parse("group: g\ntransport: { memory: { partitions: 1 } }\nplugins: { aggregate: }"),
    {
      options: { aggregate: { aggregateIdExtractor } },
    },
  );
  using gate = new Gate();
  await bus.subscribe(Orders, () => gate.pass(), { ordering: "key" });
  await bus.start();
  await bus.publishMany(
    Orders,
    ["a", "b"].map((id) => ({ id, sequence: 0 })),
  );
  await until(() => bus.lanes?.().queued === 1, { ...soon, what: "one aggregate for both" });
  expect(asked).toEqual(["a", "b"]);
});

test.each([
  [
    "aggregate: { concurency: 3 }",
    "unknown option plugins.aggregate.concurency, got 3 (did you mean `concurrency`?)",
  ],
  ["aggregate: { concurrency: 0 }", "plugins.aggregate.concurrency"],
  ["aggregate: { maxLanes: 1.5 }", "plugins.aggregate.maxLanes"],
  [
    "aggregate: { concurrency: 2000 }",
    "plugins.aggregate.concurrency must be at most maxLanes 1000, got 2000",
  ],
  [
    "aggregate: { maxLanes: 10 }",
    "plugins.aggregate.maxLanes must be at least concurrency 64, got 10",
  ],
  ["aggregate: { startMode: recovering }", "plugins.aggregate.startMode"],
  ["aggregate: { activeLaneRatio: 2 }", "plugins.aggregate.activeLaneRatio"],
  ["aggregate: { rateLimit: { perSecond: 5 } }", "plugins.aggregate.rateLimit.burst"],
  [
    "aggregate: { aggregateIdSources: [key, key] }",
    "plugins.aggregate.aggregateIdSources must not name a source twice",
  ],
  ["aggregate: { aggregateIdSources: [value] }", "plugins.aggregate.aggregateIdSources.0"],
  [
    "aggregate: { aggregateIdExtractor: id }",
    "plugins.aggregate.aggregateIdExtractor must be a function",
  ],
] as const)("%s is refused before anything is connected", async (...row) => {
  const [plugins, message] = row;
  const error = await failureOf(() =>
    registry.createEventBus(parse(`group: g\ntransport: memory\nplugins: { ${plugins} }`)),
  );
  expect(error.code).toBe("BUS_CONFIG");
  expect(error.message).toContain(message);
});

test.each([
  [
    "an unknown option",
    { ordering: "key", plugins: { aggregate: { orderedProcesing: true } } },
    "unknown option subscribe.plugins.aggregate.orderedProcesing, got true (did you mean `orderedProcessing`?)",
  ],
  [
    "a wrong type",
    { ordering: "key", plugins: { aggregate: { aggregateIdExtractor: "id" } } },
    "subscribe.plugins.aggregate.aggregateIdExtractor must be a function",
  ],
  [
    "an extractor without an order by key",
    { plugins: { aggregate: { aggregateIdExtractor: () => "id" } } },
    'subscribe.plugins.aggregate.aggregateIdExtractor of topic orders needs ordering "key", got "partition"',
  ],
  [
    "an order without an order by key",
    { ordering: "none", plugins: { aggregate: { orderedProcessing: true } } },
    'subscribe.plugins.aggregate.orderedProcessing of topic orders needs ordering "key", got "none"',
  ],
] as const)("%s in a subscription is refused", async (...row) => {
  const [, options, message] = row;
  const bus = createEventBus({ group: "g", transport: memory(), plugins: [aggregate()] });
  const error = await failureOf(() => bus.subscribe(Orders, () => undefined, options));
  expect(error.code).toBe("BUS_CONFIG");
  expect(error.message).toContain(message);
});

test("unknown options of subscribeWithAggregateId are refused with their path", async () => {
  const bus = createEventBus({ group: "g", transport: memory(), plugins: [aggregate()] });
  const error = await failureOf(() =>
    bus.subscribeWithAggregateId(Orders, () => undefined, { ratelimit: 5 } as object),
  );
  expect(error.message).toContain(
    "unknown option subscribe.plugins.aggregate.ratelimit, got 5 (did you mean `rateLimit`?)",
  );
});

test("the group, the start and the deadline of subscribeWithAggregateId are those of subscribe", async () => {
  await using bus = createEventBus({
    transport: memory({ partitions: 1 }),
    plugins: [aggregate()],
  });
  const first = await bus.subscribeWithAggregateId(Orders, () => undefined, {
    group: "mine",
    startFrom: "latest",
    maxProcessingTimeMs: 50,
  });
  expect(first).toMatchObject({ topic: "orders", group: "mine" });
  expect(bus.describe()["subscriptions"]).toMatchObject([
    { topic: "orders", group: "mine", ordering: "key" },
  ]);
});

test("every default stands in one frozen table, and the schema has it", () => {
  expect(Object.isFrozen(AGGREGATE_DEFAULTS)).toBe(true);
  expect(aggregate().options).toEqual(AGGREGATE_DEFAULTS);
  const schema = registry.jsonSchema() as {
    properties: {
      plugins: {
        properties: {
          aggregate: { properties: Record<string, { default?: unknown; description?: string }> };
        };
      };
    };
  };
  const { properties } = schema.properties.plugins.properties.aggregate;
  for (const [name, value] of Object.entries(AGGREGATE_DEFAULTS))
    expect(properties[name]?.default, name).toEqual(value);
  for (const [name, property] of Object.entries(properties))
    expect(property.description, name).toBeTruthy();
});
