import { describe, expect, it } from "vitest";
import { createEventBus, RECOVERY, serviceKey } from "@bus/core";
import { memory } from "@bus/memory";
import { codeOf, Orders, pluginOf, withoutCapability } from "./bus-lab.ts";

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
