import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventBus, defineTopic } from "@bus/core";
import type { HeaderList } from "@bus/core";
import { dlq } from "@bus/dlq";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock, testHost, until } from "@bus/testkit";
import { bytes, text } from "./support/failing-bus.ts";
import { headersOf, setUp, stored, untilStored } from "./support/memory-orders.ts";
import { readAll } from "./support/read-all.ts";

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
