import { describe, expect, it } from "vitest";
import { createEventBus, definePlugin } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import { memory, memoryBroker } from "@bus/memory";
import { until } from "@bus/testkit";
import { codeOf, Orders, soon } from "./bus-lab.ts";

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
