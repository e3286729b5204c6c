import { describe, expect, it, vi } from "vitest";
import { createEventBus, defineTopic } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { until } from "@bus/testkit";
import { Orders, pluginOf, soon } from "./bus-lab.ts";

describe("a bus over memory", () => {
  it("subscribes before and after the start", async () => {
    await using bus = createEventBus({ group: "g", transport: memory() });
    const seen: string[] = [];
    await bus.subscribe(defineTopic<number>("a"), ({ value }) => void seen.push(`a${value}`));
    await bus.start();
    await bus.subscribe(defineTopic<number>("b"), ({ value }) => void seen.push(`b${value}`));
    await bus.subscribe(defineTopic<number>("c"), ({ value }) => void seen.push(`c${value}`), {
      group: "late",
    });
    for (const topic of ["a", "b", "c"]) await bus.publish(defineTopic<number>(topic), 1);
    await until(() => seen.length === 3, soon);
    expect(seen.toSorted()).toEqual(["a1", "b1", "c1"]);
  });

  it("holds a topic without a handler, says so in health, and loses nothing of it", async () => {
    const broker = memoryBroker();
    await using bus = createEventBus({
      group: "g",
      transport: memory({ broker }),
      holdTopics: ["orders"],
    });
    await bus.start();
    for (const id of [1, 2, 3]) await bus.publish(Orders, { id });
    expect(await bus.health()).toMatchObject({
      overall: "degraded",
      components: { subscriptions: { detail: expect.stringContaining("orders") } },
    });
    expect(bus.inspect().groups[0]).toMatchObject({ heldTopics: ["orders"] });
    const seen: number[] = [];
    await bus.subscribe(Orders, ({ value }) => void seen.push(value.id));
    await until(() => seen.length === 3, soon);
    expect((await bus.health()).overall).toBe("healthy");
  });

  it("lets a subscription go: held when asked, otherwise left", async () => {
    await using bus = createEventBus({ group: "g", transport: memory() });
    const handler = vi.fn();
    const subscription = await bus.subscribe(Orders, handler);
    await bus.start();
    await bus.publish(Orders, { id: 1 });
    await until(() => handler.mock.calls.length === 1, soon);
    await Promise.all([subscription.close({ hold: true }), subscription.close()]);
    await bus.publish(Orders, { id: 2 });
    expect(bus.inspect().groups[0]?.heldTopics).toEqual(["orders"]);
    const second = vi.fn();
    await bus.subscribe(Orders, second);
    await until(() => second.mock.calls.length === 1, soon);
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("hands batches of a partition over, in order, and runs a failed batch one by one", async () => {
    await using bus = createEventBus({ group: "g", transport: memory({ partitions: 1 }) });
    const calls: number[][] = [];
    let failures = 0;
    await bus.subscribeBatch(
      Orders,
      (messages) => {
        const ids = messages.map(({ value }) => value.id);
        calls.push(ids);
        if (ids.includes(3) && failures++ < 2) throw new Error("no");
      },
      { maxMessages: 4, maxWaitMs: 5 },
    );
    await bus.start();
    await bus.publishMany(
      Orders,
      [1, 2, 3, 4].map((id) => ({ id })),
    );
    await until(
      async () => (await bus.lag()).partitions.every(({ lagMessages }) => lagMessages === 0n),
      soon,
    );
    expect(calls).toEqual([[1, 2, 3, 4], [1], [2], [3], [3], [4]]);
  });

  it("passes batches through the wrappers of plugins, once a batch", async () => {
    const seen: string[] = [];
    const wrapper = pluginOf("wrapper", (host) => {
      host.wrapHandler((next) => (message, context) => {
        seen.push(`wrapped ${String(message.offset)}`);
        return next(message, context);
      });
      return {};
    });
    await using bus = createEventBus({
      group: "g",
      transport: memory({ partitions: 1 }),
      plugins: [wrapper],
    });
    await bus.subscribeBatch(Orders, (messages) => void seen.push(`batch of ${messages.length}`), {
      maxMessages: 3,
      maxWaitMs: 5,
    });
    await bus.start();
    await bus.publishMany(Orders, [{ id: 1 }, { id: 2 }, { id: 3 }]);
    await until(() => seen.length === 2, soon);
    expect(seen).toEqual(["wrapped 0", "batch of 3"]);
  });

  it("streams: asking for the next message acknowledges the current one, leaving gives it back", async () => {
    const broker = memoryBroker();
    await using publisher = createEventBus({ transport: memory({ broker, partitions: 1 }) });
    await publisher.start();
    await publisher.publishMany(
      Orders,
      [1, 2, 3].map((id) => ({ id })),
    );
    const read = async (group: string, until_: number): Promise<number[]> => {
      await using bus = createEventBus({ group, transport: memory({ broker, partitions: 1 }) });
      const seen: number[] = [];
      await bus.start();
      for await (const { message } of bus.stream(Orders)) {
        seen.push(message.value.id);
        if (message.value.id === until_) break;
      }
      return seen;
    };
    expect(await read("g", 2)).toEqual([1, 2]);
    expect(await read("g", 3)).toEqual([2, 3]);
  });

  it("ends a stream when the bus closes", async () => {
    const bus = createEventBus({ group: "g", transport: memory() });
    await bus.start();
    const ended = (async () => {
      for await (const _ of bus.stream(Orders)) throw new Error("nothing was published");
      return "ended";
    })();
    await until(() => bus.inspect().groups.length === 1, soon);
    await bus.close();
    expect(await ended).toBe("ended");
  });

  it("passes publishes and handlers through the wrappers of plugins, the first installed outermost", async () => {
    const order: string[] = [];
    const wrapper = (name: string) =>
      pluginOf(name, (host) => {
        host.wrapPublish((next) => (messages) => (order.push(`publish ${name}`), next(messages)));
        host.wrapHandler(
          (next) => (message, context) => (order.push(`handle ${name}`), next(message, context)),
        );
        return {};
      });
    await using bus = createEventBus({
      group: "g",
      transport: memory(),
      plugins: [wrapper("outer"), wrapper("inner")],
    });
    await bus.subscribe(Orders, () => void order.push("handler"));
    await bus.start();
    await bus.publish(Orders, { id: 1 });
    await until(() => order.includes("handler"), soon);
    expect(order).toEqual([
      "publish outer",
      "publish inner",
      "handle outer",
      "handle inner",
      "handler",
    ]);
  });

  it("tells observers, and is not felt when one of them throws", async () => {
    await using bus = createEventBus({ group: "g", transport: memory() });
    const heard: string[] = [];
    bus.observe({
      published: (topic) => void heard.push(`published ${topic}`),
      received: () => {
        throw new Error("observer");
      },
      settled: (_delivery, { group }, outcome) => void heard.push(`${group} ${outcome}`),
      statusChanged: (status) => void heard.push(status),
    });
    await bus.subscribe(Orders, () => undefined);
    await bus.start();
    await bus.publish(Orders, { id: 1 });
    await until(() => heard.includes("g ack"), soon);
    await bus.close();
    expect(heard.filter((what) => !what.includes(" "))).toEqual([
      "starting",
      "running",
      "closing",
      "closed",
    ]);
    expect(heard.filter((what) => what.includes(" ")).toSorted()).toEqual([
      "g ack",
      "published orders",
    ]);
  });

  it("reports a failing key in health and in inspect, by error class and never by contents", async () => {
    await using bus = createEventBus({ group: "g", transport: memory() });
    await bus.subscribe(Orders, () => {
      throw new TypeError("secret contents");
    });
    await bus.start();
    await bus.publish(Orders, { id: 1 });
    await until(() => (bus.inspect().failing[0]?.failures ?? 0) >= 3, soon);
    expect(await bus.health()).toMatchObject({
      overall: "degraded",
      components: { handlers: { status: "degraded" } },
    });
    expect(
      JSON.stringify(bus.inspect(), (_, value: unknown) =>
        typeof value === "bigint" ? Number(value) : value,
      ),
    ).not.toContain("secret");
    expect(bus.inspect().failing[0]).toMatchObject({ topic: "orders", lastError: "TypeError" });
  });

  it("runs health checks of the user's: a rejection is unhealthy, a hang degraded", async () => {
    await using bus = createEventBus({ group: "g", transport: memory() });
    await bus.start();
    expect((await bus.health()).overall).toBe("healthy");
    bus.addHealthCheck({ name: "database", check: () => Promise.reject(new Error("down")) });
    expect(await bus.health()).toMatchObject({
      overall: "unhealthy",
      components: { database: { detail: "check database failed: down" } },
    });
  });
});
