import { expect, test } from "vitest";
import { createEventBus, defineTopic, RetryLater } from "@bus/core";
import type { EventBus, Plugin } from "@bus/core";
import { memory } from "@bus/memory";
import { createProbe } from "@bus/testkit";
import type { Probe } from "@bus/testkit";

interface Order {
  readonly id: string;
}

const Orders = defineTopic<Order>("orders", { key: (order) => order.id });

/** Dead-letters whatever fails, to a list. */
function deadLetterAll(stored: unknown[]): Plugin<object> {
  return {
    kind: "plugin",
    name: "dead-letter-all",
    options: {},
    install: (host) => {
      host.onFailure("retry", () => ({ kind: "deadLetter", errorClass: "POISON" }));
      host.onFailure("deadLetter", (failure) => {
        stored.push(failure.error);
        return Promise.resolve();
      });
      return { api: {} };
    },
  };
}

async function startedBus(
  probe: Probe,
  handle: (order: Order, attempt: number) => void,
  plugins: readonly Plugin<object>[] = [],
): Promise<EventBus> {
  const bus = createEventBus({
    group: "billing",
    transport: memory(),
    plugins: [probe, ...plugins],
  });
  await bus.subscribe(Orders, (message, context) => handle(message.value, context.attempt));
  await bus.start();
  return bus;
}

async function messageOf(failing: Promise<unknown>): Promise<string> {
  try {
    await failing;
    return "did not fail";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test("handled resolves with the message, whether it was handled before or is handled later", async () => {
  const probe = createProbe();
  await using bus = await startedBus(probe, () => undefined);
  const later = probe.handled(Orders, ({ value }) => value.id === "2");
  await bus.publish(Orders, { id: "1" });
  await bus.publish(Orders, { id: "2" });
  expect(await later).toMatchObject({
    topic: "orders",
    key: "2",
    value: { id: "2" },
    attempt: 1,
    error: undefined,
  });
  expect((await probe.handled(Orders, ({ value }) => value.id === "1")).offset).toBe(0n);
});

test("failed resolves with the run that failed and its error, handled with the run that succeeded", async () => {
  const probe = createProbe();
  await using bus = await startedBus(probe, (_order, attempt) => {
    if (attempt === 1) throw new RetryLater({ afterMs: 1, reason: "not yet" });
  });
  await bus.publish(Orders, { id: "1" });
  expect(await probe.failed(Orders)).toMatchObject({ attempt: 1, error: { message: "not yet" } });
  expect(await probe.handled(Orders)).toMatchObject({ attempt: 2 });
});

test("deadLettered resolves with the last failed run of a dead-lettered message", async () => {
  const probe = createProbe();
  const stored: unknown[] = [];
  const fail = (): never => {
    throw new TypeError("no such account");
  };
  await using bus = await startedBus(probe, fail, [deadLetterAll(stored)]);
  await bus.publish(Orders, { id: "1" });
  expect(await probe.deadLettered(Orders)).toMatchObject({
    value: { id: "1" },
    error: { message: "no such account" },
  });
  expect(stored).toHaveLength(1);
});

test("a message that could not be decoded is dead-lettered with its bytes", async () => {
  const probe = createProbe();
  await using bus = await startedBus(probe, () => undefined, [deadLetterAll([])]);
  await bus.publish("orders", new TextEncoder().encode("{"));
  const record = await probe.deadLettered("orders");
  expect(record.value).toEqual(new TextEncoder().encode("{"));
});

test("a time-out says what was awaited and lists what was seen", async () => {
  const probe = createProbe();
  await using bus = await startedBus(probe, () => undefined);
  await bus.publish(Orders, { id: "7" });
  await probe.handled(Orders);
  const wrong = await messageOf(
    probe.handled(Orders, ({ value }) => value.id === "8", { timeoutMs: 20 }),
  );
  expect(wrong).toMatch(
    /^timed out after 20 ms waiting for a message of orders to be handled; seen of it: 1, the last: handled \d+\/0 key 7 attempt 1 value \{ id: '7' \}$/,
  );
  const elsewhere = await messageOf(probe.failed("invoices", undefined, { timeoutMs: 20 }));
  expect(elsewhere).toBe(
    "timed out after 20 ms waiting for a message of invoices to be failed; nothing of it was seen; seen in other topics: orders",
  );
});

test("an error in a predicate is the caller's at once, not a time-out", async () => {
  const probe = createProbe();
  await using bus = await startedBus(probe, () => undefined);
  await bus.publish(Orders, { id: "1" });
  await probe.handled(Orders);
  const broken = probe.handled(Orders, () => {
    throw new RangeError("wrong predicate");
  });
  expect(await messageOf(broken)).toBe("wrong predicate");
});

test("settled waits for what the bus has published and not yet settled", async () => {
  const probe = createProbe();
  const handled: string[] = [];
  await using bus = await startedBus(probe, ({ id }, attempt) => {
    if (id === "2" && attempt === 1) throw new RetryLater({ afterMs: 30, reason: "not yet" });
    handled.push(id);
  });
  await Promise.all(["1", "2", "3"].map((id) => bus.publish(Orders, { id })));
  await probe.settled();
  expect(handled.toSorted()).toEqual(["1", "2", "3"]);
});

test("settled that comes too late says what is missing", async () => {
  const probe = createProbe();
  await using bus = await startedBus(probe, () => {
    throw new RetryLater({ afterMs: 60_000, reason: "not for a minute" });
  });
  await bus.publish(Orders, { id: "1" });
  await probe.failed(Orders);
  expect(await messageOf(probe.settled({ timeoutMs: 20 }))).toMatch(
    /^timed out after 20 ms waiting for every message to be settled; in flight: 1; published and not settled: 1, first orders\/\d+\/0 in group billing$/,
  );
});
