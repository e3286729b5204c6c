import { describe, expect, test } from "vitest";
import { createEventBus } from "@bus/core";
import type { Handler, SettledOutcome } from "@bus/core";
import { dlq } from "@bus/dlq";
import { memory, memoryBroker } from "@bus/memory";
import { faultyTransport, until } from "@bus/testkit";
import { FAST, bytes, failingBus, text } from "./support/failing-bus.ts";
import { headersOf, setUp, stored, untilStored } from "./support/memory-orders.ts";
import { readAll } from "./support/read-all.ts";

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
