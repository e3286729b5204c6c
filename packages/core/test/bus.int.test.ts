import { describe, expect, it, vi } from "vitest";
import {
  BusError,
  createEventBus,
  definePlugin,
  defineTopic,
  RECOVERY,
  serviceKey,
} from "@bus/core";
import type { ConfiguredTransport, PluginHost } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import { memory, memoryBroker } from "@bus/memory";
import { until } from "@bus/testkit";

const Orders = defineTopic<{ id: number }>("orders", { key: ({ id }) => String(id) });
const soon = { timeoutMs: 5_000, what: "it" };

/** A plugin from what it does when it is installed. */
function pluginOf(name: string, install: (host: PluginHost) => object) {
  return definePlugin({
    name,
    options: optionTable<object, object>({}),
    create: () => ({ install: (host) => ({ api: install(host) }) }),
  })();
}

async function codeOf(action: () => unknown): Promise<string | undefined> {
  try {
    await action();
  } catch (error) {
    if (BusError.is(error)) return error.code;
    throw error;
  }
  return undefined;
}

describe("bad input is a BusError with a code, before any side effect", () => {
  const wrong: readonly (readonly [string, () => unknown, string])[] = [
    ["no options", () => createEventBus(undefined as never), "BUS_CONFIG"],
    ["no transport", () => createEventBus({ group: "g" } as never), "BUS_CONFIG"],
    [
      "a transport that was not called",
      () => createEventBus({ transport: memory as never }),
      "BUS_CONFIG",
    ],
    [
      "an unknown option",
      () => createEventBus({ transport: memory(), grup: "g" } as never),
      "BUS_CONFIG",
    ],
    [
      "an option of a wrong type",
      () => createEventBus({ transport: memory(), drainTimeoutMs: "1 s" as never }),
      "BUS_CONFIG",
    ],
    [
      "a plugin that was not called",
      () => createEventBus({ transport: memory(), plugins: [memory as never] }),
      "BUS_CONFIG",
    ],
    [
      "a plugin twice",
      () =>
        createEventBus({
          transport: memory(),
          plugins: [pluginOf("a", () => ({})), pluginOf("a", () => ({}))],
        }),
      "BUS_CONFIG",
    ],
    [
      "two plugins with one member",
      () =>
        createEventBus({
          transport: memory(),
          plugins: [pluginOf("a", () => ({ x: 1 })), pluginOf("b", () => ({ x: 2 }))],
        }),
      "BUS_CONFIG",
    ],
    [
      "a plugin that adds a member of the bus",
      () =>
        createEventBus({ transport: memory(), plugins: [pluginOf("a", () => ({ publish: 1 }))] }),
      "BUS_CONFIG",
    ],
    [
      "two plugins for one service",
      () =>
        createEventBus({
          transport: memory(),
          plugins: [
            pluginOf("a", (host) => (host.provide(RECOVERY, { recovering: false }), {})),
            pluginOf("b", (host) => (host.provide(RECOVERY, { recovering: false }), {})),
          ],
        }),
      "BUS_CONFIG",
    ],
    [
      "a plugin whose service is missing",
      () =>
        createEventBus({
          transport: memory(),
          plugins: [
            pluginOf("a", (host) => ({ s: host.require(serviceKey("nope", "@bus/nope")) })),
          ],
        }),
      "BUS_SERVICE_MISSING",
    ],
    [
      "a plugin that throws",
      () =>
        createEventBus({
          transport: memory(),
          plugins: [
            pluginOf("a", () => {
              throw new Error("x");
            }),
          ],
        }),
      "BUS_PLUGIN",
    ],
    [
      "subscribing without a group",
      () => createEventBus({ transport: memory() }).subscribe(Orders, () => undefined),
      "BUS_CONFIG",
    ],
    [
      "subscribing with an unknown option",
      () =>
        createEventBus({ group: "g", transport: memory() }).subscribe(Orders, () => undefined, {
          orderin: "key",
        } as never),
      "BUS_CONFIG",
    ],
    [
      "subscribing with options of a plugin that is not there",
      () =>
        createEventBus({ group: "g", transport: memory() }).subscribe(Orders, () => undefined, {
          plugins: { agregate: {} },
        }),
      "BUS_CONFIG",
    ],
    [
      "subscribing without a handler",
      () =>
        createEventBus({ group: "g", transport: memory() }).subscribe(Orders, undefined as never),
      "BUS_CONFIG",
    ],
    [
      "ordering key without the plugin for it",
      () =>
        createEventBus({ group: "g", transport: memory() }).subscribe(Orders, () => undefined, {
          ordering: "key",
        }),
      "BUS_SERVICE_MISSING",
    ],
    [
      "publishing before the start",
      () => createEventBus({ transport: memory() }).publish(Orders, { id: 1 }),
      "BUS_CONFIG",
    ],
  ];
  for (const [name, action, code] of wrong) {
    it(`${name}: ${code}`, async () => {
      expect(await codeOf(action)).toBe(code);
    });
  }

  it("a second handler for a topic in one group; in another group it is welcome", async () => {
    const bus = createEventBus({ group: "g", transport: memory() });
    await bus.subscribe(Orders, () => undefined);
    expect(await codeOf(() => bus.subscribe(Orders, () => undefined))).toBe("BUS_CONFIG");
    await bus.subscribe(Orders, () => undefined, { group: "h" });
  });

  it("after the start: values that cannot be encoded, and 2 MB", async () => {
    await using bus = createEventBus({ transport: memory() });
    await bus.start();
    expect(await codeOf(() => bus.publish(Orders, { id: 1n } as never))).toBe("BUS_ENCODE");
    expect(await codeOf(() => bus.publish("raw", new Uint8Array(2_000_000)))).toBe(
      "BUS_MESSAGE_TOO_LARGE",
    );
    expect(await codeOf(() => bus.publish({} as never, 1))).toBe("BUS_CONFIG");
    expect(await codeOf(() => bus.transaction(() => Promise.resolve()))).toBe("BUS_UNSUPPORTED");
  });

  it("lag of a transport that cannot tell", async () => {
    await using bus = createEventBus({ group: "g", transport: withoutCapability("lag") });
    expect(await codeOf(() => bus.lag())).toBe("BUS_UNSUPPORTED");
  });
});

/** Memory, with one capability taken away. */
function withoutCapability(capability: "lag"): ConfiguredTransport {
  const inner = memory();
  return {
    ...inner,
    create: (host) => {
      const transport = inner.create(host);
      const { [capability]: _, ...capabilities } = transport.capabilities;
      return {
        name: transport.name,
        capabilities,
        connect: () => transport.connect(),
        publish: (messages) => transport.publish(messages),
        subscribe: (request, deliver) => transport.subscribe(request, deliver),
        close: (options) => transport.close(options),
      };
    },
  };
}

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

describe("the end of a bus", () => {
  it("is one, however often and from wherever it is asked for", async () => {
    const bus = createEventBus({ group: "g", transport: memory() });
    await bus.start();
    const reports = await Promise.all([bus.close(), bus.close(), bus.close({ drainTimeoutMs: 1 })]);
    expect(new Set(reports).size).toBe(1);
    expect(bus.status).toBe("closed");
    expect(await codeOf(() => bus.publish(Orders, { id: 1 }))).toBe("BUS_CLOSED");
    expect(await codeOf(() => bus.start())).toBe("BUS_CLOSED");
    expect(await codeOf(() => bus.subscribe(Orders, () => undefined))).toBe("BUS_CLOSED");
    expect((await bus.health()).overall).toBe("unhealthy");
  });

  it("lets running handlers finish and publish", async () => {
    const broker = memoryBroker();
    const bus = createEventBus({ group: "g", transport: memory({ broker }) });
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let finish: () => void = () => undefined;
    const mayFinish = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await bus.subscribe(Orders, async ({ value }) => {
      begin();
      await mayFinish;
      await bus.publish("done", new Uint8Array([value.id]));
    });
    await bus.start();
    await bus.publish(Orders, { id: 7 });
    await begun;
    const closed = bus.close();
    finish();
    expect(await closed).toEqual({ abandonedDeliveries: 0 });
    await using reader = createEventBus({ group: "r", transport: memory({ broker }) });
    const seen: number[] = [];
    await reader.subscribe("done", ({ value }) => void seen.push(value?.[0] ?? 0));
    await reader.start();
    await until(() => seen.length === 1, soon);
    expect(seen).toEqual([7]);
  });

  it("after the drain deadline reports what was abandoned, unacknowledged", async () => {
    const broker = memoryBroker();
    const bus = createEventBus({ group: "g", transport: memory({ broker }) });
    let aborted = false;
    let begun = false;
    await bus.subscribe(Orders, (_, { signal }) => {
      begun = true;
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      return new Promise(() => undefined);
    });
    await bus.start();
    await bus.publish(Orders, { id: 1 });
    await until(() => begun, soon);
    expect(await bus.close({ drainTimeoutMs: 20 })).toEqual({ abandonedDeliveries: 1 });
    expect(aborted).toBe(true);
    await using next = createEventBus({ group: "g", transport: memory({ broker }) });
    const seen: number[] = [];
    await next.subscribe(Orders, ({ value }) => void seen.push(value.id));
    await next.start();
    await until(() => seen.length === 1, soon);
  });

  it("comes after a start that is under way, and after one that failed", async () => {
    const bus = createEventBus({ group: "g", transport: memory() });
    const started = bus.start();
    await Promise.all([started, bus.close()]);
    expect(bus.status).toBe("closed");

    const failing = createEventBus({
      transport: memory(),
      plugins: [
        definePlugin({
          name: "x",
          options: optionTable<object, object>({}),
          create: () => ({
            install: () => ({ api: {}, start: () => Promise.reject(new Error("no")) }),
          }),
        })(),
      ],
    });
    await expect(failing.start()).rejects.toThrow("no");
    expect(failing.status).toBe("closed");
    await failing.close();
  });
});
