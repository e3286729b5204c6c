import { createEventBus, createPluginRegistry, defineTopic } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { until } from "@bus/testkit";
import { describe, expect, test } from "vitest";

interface Order {
  readonly id: string;
  readonly amount: number;
}

const Orders = defineTopic<Order>("orders", { key: (order: Order) => order.id });

describe("a bus over memory", () => {
  test("handles what it publishes, with the topic's codec and key", async () => {
    await using bus = createEventBus({ group: "billing", transport: memory() });
    const handled: (readonly [key: string | null, amount: number])[] = [];
    await bus.subscribe(Orders, ({ key, value }) => void handled.push([key, value.amount]));
    await bus.start();
    for (let amount = 1; amount <= 3; amount += 1)
      await bus.publish(Orders, { id: "order-1", amount });
    await until(() => handled.length === 3, { timeoutMs: 5000, what: "three orders" });
    expect(handled).toEqual([1, 2, 3].map((amount) => ["order-1", amount]));
  });

  test("shares a broker: what one bus publishes another handles, and a failed handler runs again", async () => {
    const broker = memoryBroker({ partitions: 2 });
    await using shop = createEventBus({ group: "shop", transport: memory({ broker }) });
    await using billing = createEventBus({ group: "billing", transport: memory({ broker }) });
    const attempts: number[] = [];
    await billing.subscribe(Orders, (_message, { attempt }) => {
      attempts.push(attempt);
      if (attempt === 1) throw new Error("not the first time");
    });
    await Promise.all([shop.start(), billing.start()]);
    await shop.publish(Orders, { id: "order-1", amount: 7 });
    const isCommitted = (): boolean =>
      broker.committed("billing").some(({ offset }) => offset === 1n);
    await until(isCommitted, {
      timeoutMs: 5000,
      what: "the order to be committed",
      state: () => attempts,
    });
    expect(attempts).toEqual([1, 2]);
    expect(broker.committed("shop")).toEqual([]);
  });

  test("may come from a configuration file", async () => {
    const registry = createPluginRegistry([memory]);
    await using bus = registry.createEventBus({
      group: "billing",
      transport: { memory: { partitions: 2 } },
    });
    await bus.start();
    const receipt = await bus.publish("orders", new Uint8Array(1), { key: "order-1" });
    expect(receipt).toMatchObject({ topic: "orders", offset: 0n });
    expect(() =>
      registry.createEventBus({ group: "billing", transport: { memory: { partition: 2 } } }),
    ).toThrow("did you mean `partitions`?");
  });
});
