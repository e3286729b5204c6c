import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BusTransportError, createEventBus, defineTopic } from "@bus/core";
import type { Handler, HeaderList, IncomingMessage, SettledOutcome } from "@bus/core";
import { dlq } from "@bus/dlq";
import { memory, memoryBroker } from "@bus/memory";
import type { MemoryBroker, MemoryOptions } from "@bus/memory";
import { faultyTransport, manualClock, testHost, until } from "@bus/testkit";
import { FAST, bytes, failingBus, text } from "./support/failing-bus.ts";
import { readAll } from "./support/read-all.ts";

const stored = (broker: MemoryBroker, topic: string): number =>
  broker
    .describe()
    .partitions.filter((one) => one.topic === topic)
    .reduce((sum, { messages }) => sum + messages, 0);

const untilStored = (broker: MemoryBroker, topic: string, count: number): Promise<void> =>
  until(() => stored(broker, topic) >= count, {
    timeoutMs: 50_000,
    what: `${count} messages in ${topic}`,
    state: () => stored(broker, topic),
  });

const headersOf = (message: IncomingMessage | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries((message?.headers ?? []).map(([name, value]) => [name, text(value)]));

interface Setup {
  readonly broker: MemoryBroker;
  readonly bus: Awaited<ReturnType<typeof failingBus>>;
}

async function setUp(
  handler: Handler<Uint8Array>,
  options: MemoryOptions & { readonly dlq?: Parameters<typeof dlq>[0] } = {},
): Promise<Setup & AsyncDisposable> {
  const { dlq: dlqOptions, ...transport } = options;
  const broker = memoryBroker({ partitions: 1 });
  const parts = {
    topic: "orders",
    handler,
    ...(dlqOptions === undefined ? {} : { dlq: dlqOptions }),
  };
  const bus = await failingBus({ transport: memory({ broker, ...transport }), ...parts });
  return { broker, bus, [Symbol.asyncDispose]: async () => void (await bus.close()) };
}

test("a failure that passes is retried in place: no dead letter, the order of the partition is kept, others go on", async () => {
  const handled: string[] = [];
  await using setup = await setUp(
    ({ value }, { attempt }) => {
      if (text(value) === "a1" && attempt <= 2)
        throw Object.assign(new Error("x"), { code: "ECONNRESET" });
      handled.push(text(value));
    },
    { dlq: { retry: { ...FAST, attempts: 3 } } },
  );
  for (const one of ["a0", "a1", "a2", "b0"])
    await setup.bus.publish("orders", bytes(one), { key: one.slice(0, 1) });
  await until(() => handled.length === 4, {
    timeoutMs: 5_000,
    what: "all handled",
    state: () => handled,
  });
  expect(handled.filter((one) => one.startsWith("a"))).toEqual(["a0", "a1", "a2"]);
  expect(stored(setup.broker, "orders.dlq")).toBe(0);
});

test("a dead letter has the value, key and headers of its message byte for byte, whatever they are", async () => {
  await using setup = await setUp(() => {
    throw new SyntaxError("poison");
  });
  const anyBytes = fc.uint8Array({ maxLength: 40 });
  const name = fc
    .string({ minLength: 1, maxLength: 8, unit: "grapheme" })
    .filter((one) => !one.startsWith("x-dlq-"));
  const headers: fc.Arbitrary<HeaderList> = fc.array(
    fc.tuple(fc.oneof(name, fc.constant("twice")), anyBytes),
    { maxLength: 6 },
  );
  const message = fc.record({ key: fc.option(anyBytes), value: fc.option(anyBytes), headers });
  const host = testHost();
  const publisher = memory({ broker: setup.broker }).create(host);
  await publisher.connect();
  let count = 0;
  await fc.assert(
    fc.asyncProperty(message, async (sent) => {
      await publisher.publish([{ topic: "orders", ...sent }]);
      count += 1;
      await untilStored(setup.broker, "orders.dlq", count);
      const found = (await readAll(memory({ broker: setup.broker }), "orders.dlq")).at(-1);
      expect({ key: found?.key, value: found?.value }).toEqual({
        key: sent.key,
        value: sent.value,
      });
      const own = found?.headers.filter(([header]) => !header.startsWith("x-dlq-"));
      expect(own).toEqual(sent.headers);
    }),
    { numRuns: 60 },
  );
  await publisher.close({ drainTimeoutMs: 0 });
});

test("the headers of a dead letter are those of the golden file", async () => {
  const clock = manualClock({ startMs: Date.UTC(2001, 0, 13, 14, 56) });
  const broker = memoryBroker({ partitions: 1, clock });
  const bus = createEventBus({
    group: "billing",
    clock,
    transport: memory({ broker }),
    plugins: [dlq()],
  });
  const failure = Object.assign(new TypeError("cannot read 'x', password=hunter2\nat once"), {
    code: "E_BUG",
  });
  failure.stack = "TypeError: cannot read 'x'\n    at handle (/app/orders.ts:3:9)";
  await bus.subscribe("orders", () => {
    throw failure;
  });
  await bus.start();
  await bus.publish("orders", bytes("v"), { key: "k", headers: { trace: "abc" } });
  for (let step = 0; step < 50 && stored(broker, "orders.dlq") === 0; step += 1)
    await clock.advanceAsync(10);
  const [letter] = await readAll(memory({ broker }), "orders.dlq", clock);
  const shown = (letter?.headers ?? [])
    .map(([name, value]) => `${name}: ${text(value)}\n`)
    .join("");
  const closing = bus.close();
  await clock.advanceAsync(1_000);
  await closing;
  expect(shown).toBe(await readFile(new URL("golden-headers.txt", import.meta.url), "utf8"));
});

describe("undecodable input", () => {
  test("never reaches the handler: its dead letter has the original bytes and what is wrong with them", async () => {
    const broker = memoryBroker({ partitions: 1 });
    await using bus = createEventBus({
      group: "billing",
      transport: memory({ broker }),
      plugins: [dlq()],
    });
    const calls: unknown[] = [];
    const Orders = defineTopic("orders", { schema: amountSchema });
    await bus.subscribe(Orders, ({ value }) => void calls.push(value));
    await bus.start();
    await bus.publish("orders", bytes("{broken"));
    await bus.publish("orders", bytes('{"amount":"much"}'));
    await bus.publish("orders", bytes('{"amount":3}'));
    await until(() => calls.length === 1, { timeoutMs: 5_000, what: "the good one" });
    const [broken, wrong] = await readAll(memory({ broker }), "orders.dlq");
    expect([text(broken?.value ?? null), text(wrong?.value ?? null)]).toEqual([
      "{broken",
      '{"amount":"much"}',
    ]);
    expect(headersOf(broken)).toMatchObject({
      "x-dlq-error-class": "POISON",
      "x-dlq-error-code": "BUS_DECODE",
    });
    expect(headersOf(wrong)).toMatchObject({
      "x-dlq-error-code": "BUS_SCHEMA",
      "x-dlq-attempts": "1",
      "x-dlq-error-issues": '[{"path":"amount","message":"must be a number"}]',
    });
    expect(calls).toEqual([{ amount: 3 }]);
  });
});

describe("whatever is thrown", () => {
  const trap = {
    get message(): string {
      throw new Error("trap");
    },
    get stack(): string {
      throw new Error("trap");
    },
  };
  const thrown: readonly (readonly [string, unknown])[] = [
    ["a string", "no"],
    ["undefined", undefined],
    ["null", null],
    ["a frozen object", Object.freeze({ code: 7 })],
    ["a symbol", Symbol("s")],
    ["an object whose getters throw", trap],
    [
      "a proxy that refuses everything",
      new Proxy(
        {},
        {
          get: () => {
            throw new Error("trap");
          },
          getPrototypeOf: () => {
            throw new Error("trap");
          },
          has: () => {
            throw new Error("trap");
          },
        },
      ),
    ],
    ["a function without a name", () => undefined],
    ["an error with a megabyte of message", new Error("m".repeat(1_000_000))],
    ["lone surrogates and controls", new Error("\ud800\u0000\r\n\u001b[2J")],
  ];
  for (const [name, value] of thrown) {
    test(`${name} ends in a dead letter after its attempts`, async () => {
      await using setup = await setUp(() => {
        throw value;
      });
      await setup.bus.publish("orders", bytes("v"), { key: "k" });
      await untilStored(setup.broker, "orders.dlq", 1);
      const [letter] = await readAll(memory({ broker: setup.broker }), "orders.dlq");
      expect(headersOf(letter)).toMatchObject({
        "x-dlq-error-class": "RETRYABLE",
        "x-dlq-attempts": "3",
      });
      expect(headersOf(letter)["x-dlq-error-message"]?.length).toBeLessThanOrEqual(1_000);
      const size = letter?.headers.reduce((sum, [, bytesOf]) => sum + bytesOf.length, 0);
      expect(size).toBeLessThan(8_000);
    });
  }
});

describe("a destination that cannot take the dead letter", () => {
  test("holds the message, raises every alarm, and resumes by itself", async () => {
    const alarms: unknown[] = [];
    const handled: string[] = [];
    await using setup = await setUp(
      ({ value }) => {
        if (text(value) === "poison") throw new SyntaxError("poison");
        handled.push(text(value));
      },
      {
        dlq: {
          onDeadLetterFailure: (_failure, error) => {
            alarms.push(error);
            throw new Error("ignored");
          },
        },
      },
    );
    const heal = setup.broker.faults.failPublish({
      predicate: ({ topic }) => topic === "orders.dlq",
    });
    await setup.bus.publish("orders", bytes("poison"), { key: "k" });
    await setup.bus.publish("orders", bytes("after"), { key: "k" });
    await until(() => alarms.length >= 2, { timeoutMs: 10_000, what: "two alarms" });
    const health = await setup.bus.health();
    expect(health.components["handlers"]).toMatchObject({
      status: "degraded",
      detail: "dead letters of orders cannot be stored",
    });
    const failures = setup.bus.instruments
      .read()
      .find(({ spec }) => spec.name === "bus_dead_letter_failures_total");
    expect(failures?.value).toBeGreaterThanOrEqual(2);
    expect(handled).toEqual([]);
    expect(setup.broker.committed("billing").every(({ offset }) => offset === 0n)).toBe(true);
    heal();
    await until(() => handled.length === 1, { timeoutMs: 10_000, what: "the message behind" });
    expect(stored(setup.broker, "orders.dlq")).toBe(1);
    expect((await setup.bus.health()).overall).toBe("healthy");
  });

  test("because the message with its story is too large: a shorter story is stored", async () => {
    await using setup = await setUp(
      () => {
        throw new SyntaxError("p".repeat(900));
      },
      { maxMessageBytes: 2_800 },
    );
    await setup.bus.publish("orders", new Uint8Array(1_500), { key: "k" });
    await untilStored(setup.broker, "orders.dlq", 1);
    const [letter] = await readAll(memory({ broker: setup.broker }), "orders.dlq");
    expect(letter?.value?.length).toBe(1_500);
    expect(headersOf(letter)["x-dlq-error-stack"]).toBe("");
  });

  test("is created with the partitions of its source, before anything fails", async () => {
    const broker = memoryBroker({ partitions: 16 });
    const admin = memory({ broker, autoCreateTopics: "never" });
    const tool = admin.create(testHost());
    await tool.connect();
    await tool.capabilities.topics?.create([{ topic: "orders", partitions: 3 }]);
    await using _bus = await failingBus({
      transport: memory({ broker, autoCreateTopics: "never" }),
      topic: "orders",
      handler: () => undefined,
    });
    const [described] = (await tool.capabilities.topics?.describe(["orders.dlq"])) ?? [];
    expect(described).toMatchObject({ partitions: 3, config: { "retention.ms": "-1" } });
    await tool.close({ drainTimeoutMs: 0 });
  });

  test("because it is missing and not to be created: held until somebody creates it", async () => {
    const broker = memoryBroker({ partitions: 1 });
    const transport = memory({ broker, autoCreateTopics: "never" });
    const tool = memory({ broker }).create(testHost());
    await tool.connect();
    await tool.capabilities.topics?.create([{ topic: "orders", partitions: 1 }]);
    const errors: unknown[] = [];
    await using bus = await failingBus({
      transport,
      topic: "orders",
      handler: () => {
        throw new SyntaxError("poison");
      },
      dlq: { createTopics: "never", onDeadLetterFailure: (_failure, error) => errors.push(error) },
    });
    await bus.publish("orders", bytes("v"));
    await until(() => errors.length > 0, { timeoutMs: 5_000, what: "an alarm" });
    expect(errors[0]).toMatchObject({ code: "BUS_TOPIC_MISSING" });
    await tool.capabilities.topics?.create([{ topic: "orders.dlq", partitions: 1 }]);
    await untilStored(broker, "orders.dlq", 1);
    await tool.close({ drainTimeoutMs: 0 });
  });

  test("because it is the topic itself: held, told, never sent round", async () => {
    const errors: unknown[] = [];
    await using setup = await setUp(
      () => {
        throw new SyntaxError("poison");
      },
      {
        dlq: {
          destination: ({ delivery }) => delivery.topic,
          onDeadLetterFailure: (_failure, error) => errors.push(error),
        },
      },
    );
    await setup.bus.publish("orders", bytes("v"));
    await until(() => errors.length > 0, { timeoutMs: 5_000, what: "an alarm" });
    expect(errors[0]).toMatchObject({ code: "BUS_CONFIG" });
    expect(stored(setup.broker, "orders")).toBe(1);
  });

  test("because its answer got lost: stored twice with one id, replayed once", async () => {
    let isBroken = true;
    const handled: string[] = [];
    await using setup = await setUp(({ value }) => {
      if (isBroken) throw new SyntaxError("poison");
      handled.push(text(value));
    });
    setup.broker.faults.failPublish({
      predicate: ({ topic }) => topic === "orders.dlq",
      times: 1,
      stored: true,
    });
    await setup.bus.publish("orders", bytes("v"), { key: "k" });
    await untilStored(setup.broker, "orders.dlq", 2);
    isBroken = false;
    expect(await setup.bus.deadLetters.replay({ topic: "orders" })).toMatchObject({
      scanned: 2,
      matched: 1,
      done: 1,
    });
    await until(() => handled.length === 1, { timeoutMs: 5_000, what: "the replayed one" });
    expect(stored(setup.broker, "orders")).toBe(2);
  });
});

test("closing while a message fails is not a failure: no dead letter, nothing acknowledged, the next one starts from attempt 1", async () => {
  const broker = memoryBroker({ partitions: 1 });
  const outcomes: SettledOutcome[] = [];
  const attempts: number[] = [];
  const handler: Handler<Uint8Array> = (_message, { attempt }) => {
    attempts.push(attempt);
    throw new Error("down");
  };
  const slow = { retry: { attempts: 2, baseMs: 60_000 } };
  const bus = await failingBus({
    transport: memory({ broker }),
    topic: "orders",
    handler,
    dlq: slow,
  });
  bus.observe({ settled: (_delivery, _subscription, outcome) => outcomes.push(outcome) });
  await bus.publish("orders", bytes("v"));
  await until(() => attempts.length === 1, { timeoutMs: 5_000, what: "the first failure" });
  await bus.close();
  expect(outcomes).toEqual(["aborted"]);
  expect(stored(broker, "orders.dlq")).toBe(0);
  await using next = await failingBus({
    transport: memory({ broker }),
    topic: "orders",
    handler,
    dlq: slow,
  });
  await until(() => attempts.length === 2, {
    timeoutMs: 5_000,
    what: "the failure of the next owner",
  });
  expect(attempts).toEqual([1, 1]);
  expect(next.status).toBe("running");
});

test("losing the partition while a dead letter cannot be stored hands the message to the next owner", async () => {
  const broker = memoryBroker({ partitions: 1 });
  const handler = (): void => {
    throw new SyntaxError("poison");
  };
  const heal = broker.faults.failPublish({ predicate: ({ topic }) => topic === "orders.dlq" });
  const first = await failingBus({
    transport: memory({ broker, clientId: "first" }),
    topic: "orders",
    handler,
  });
  await first.publish("orders", bytes("v"));
  await until(async () => (await first.health()).components["handlers"]?.status === "degraded", {
    timeoutMs: 5_000,
    what: "trouble",
  });
  await using _second = await failingBus({
    transport: memory({ broker }),
    topic: "orders",
    handler,
  });
  heal();
  broker.faults.crash("first");
  await untilStored(broker, "orders.dlq", 1);
  await until(() => broker.committed("billing").some(({ offset }) => offset === 1n), {
    timeoutMs: 10_000,
    what: "the commit",
  });
  await first.close().catch(() => undefined);
});

test("a message that kills its process is dead-lettered where the transport counts deliveries", async () => {
  const broker = memoryBroker({ partitions: 1 });
  const runs: number[] = [];
  // What a broker that counts deliveries says of a message whose consumers died 20 times.
  const counting = faultyTransport(memory({ broker }), {});
  const transport = {
    ...counting,
    create: (host: Parameters<typeof counting.create>[0]) => {
      const inner = counting.create(host);
      const subscribe: typeof inner.subscribe = (request, deliver) =>
        inner.subscribe(request, (delivery) =>
          deliver(
            new Proxy(delivery, {
              get: (target, name) => (name === "attempt" ? 21 : bound(target, name)),
            }),
          ),
        );
      return new Proxy(inner, {
        get: (target, name) => (name === "subscribe" ? subscribe : bound(target, name)),
      });
    },
  };
  await using bus = await failingBus({
    transport,
    topic: "orders",
    handler: (_message, { attempt }) => void runs.push(attempt),
  });
  await bus.publish("orders", bytes("killer"));
  await untilStored(broker, "orders.dlq", 1);
  const [letter] = await readAll(memory({ broker }), "orders.dlq");
  expect(headersOf(letter)).toMatchObject({
    "x-dlq-error-class": "POISON",
    "x-dlq-attempts": "21",
  });
  expect(runs).toEqual([]);
});

test("10,000 messages that fail at once are dead-lettered within bounded memory, each once", async () => {
  const broker = memoryBroker({ partitions: 8 });
  let most = 0;
  let running = 0;
  await using bus = createEventBus({
    group: "billing",
    transport: memory({ broker, maxInFlightMessages: 1_000 }),
    plugins: [dlq({ retry: { ...FAST, attempts: 2 } })],
  });
  bus.observe({
    received: () => void (most = Math.max(most, (running += 1))),
    settled: () => void (running -= 1),
  });
  await bus.subscribe(
    "orders",
    () => {
      throw new Error("down");
    },
    { ordering: "none", concurrency: 1_000 },
  );
  await bus.start();
  const value = new Uint8Array(1_000);
  for (let n = 0; n < 100; n += 1)
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => bus.publish("orders", value, { key: `${n}-${i}` })),
    );
  await untilStored(broker, "orders.dlq", 10_000);
  expect(stored(broker, "orders.dlq")).toBe(10_000);
  expect(most).toBeLessThanOrEqual(1_000);
}, 60_000);

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === "function" ? value.bind(target) : value;
}

const amountSchema = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value: unknown) =>
      typeof value === "object" &&
      value !== null &&
      "amount" in value &&
      typeof value.amount === "number"
        ? { value: { amount: value.amount } }
        : { issues: [{ message: "must be a number", path: ["amount"] }] },
  },
} as const;
