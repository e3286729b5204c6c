import { describe, expect, test } from "vitest";
import { memory, memoryBroker } from "@bus/memory";
import { testHost, until } from "@bus/testkit";
import { bytes, failingBus, text } from "./support/failing-bus.ts";
import { headersOf, setUp, stored, untilStored } from "./support/memory-orders.ts";
import { readAll } from "./support/read-all.ts";

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
    await using bus = await failingBus({
      transport: memory({ broker, autoCreateTopics: "never" }),
      topic: "orders",
      handler: () => undefined,
    });
    expect(bus.status).toBe("running");
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
  await using second = await failingBus({
    transport: memory({ broker }),
    topic: "orders",
    handler,
  });
  expect(second.status).toBe("running");
  heal();
  broker.faults.crash("first");
  await untilStored(broker, "orders.dlq", 1);
  await until(() => broker.committed("billing").some(({ offset }) => offset === 1n), {
    timeoutMs: 10_000,
    what: "the commit",
  });
  await first.close().catch(() => undefined);
});
