import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { TransportHost } from "../contracts/transport.ts";
import { BusError } from "../errors/bus-error.ts";
import { definePlugin } from "./define-plugin.ts";
import { defineTransport } from "./define-transport.ts";
import { createPluginRegistry } from "./plugin-registry.ts";

const created: unknown[] = [];

const wire = defineTransport({
  name: "wire",
  options: z.strictObject({ brokers: z.array(z.string()).min(1), password: z.string().optional() }),
  create: (options, _host: TransportHost) => {
    created.push(options);
    return {
      name: "wire",
      capabilities: {
        ordering: "partition",
        description: {
          describe: () => ({
            "bootstrap.servers": options.brokers,
            "sasl.password": options.password,
          }),
        },
      },
      connect: () => Promise.resolve(),
      publish: () => Promise.resolve([]),
      subscribe: () => Promise.reject(new Error("not here")),
      close: () => Promise.resolve({ abandonedDeliveries: 0 }),
    };
  },
});

const greeter = definePlugin({
  name: "greeter",
  options: z.strictObject({
    greeting: z.string().default("hello"),
    punctuation: z.string().default("."),
  }),
  create: ({ greeting, punctuation }) => ({
    install: () => ({ api: { greet: (name: string) => `${greeting} ${name}${punctuation}` } }),
  }),
});

const registry = createPluginRegistry([wire, greeter]);

function failureOf(action: () => unknown): BusError {
  try {
    action();
  } catch (error) {
    if (BusError.is(error)) return error;
  }
  throw new Error("expected a BusError");
}

describe("a bus from configuration", () => {
  it("is the same bus as one from code", () => {
    const bus = registry.createEventBus({
      group: "g",
      transport: { wire: { brokers: ["a:1"] } },
      plugins: { greeter: { greeting: "hi" } },
    });
    expect(bus.greet?.("ann")).toBe("hi ann.");
    expect(created.at(-1)).toEqual({ brokers: ["a:1"] });
  });

  it("takes what files cannot hold from overrides, on top of the file's options", () => {
    const bus = registry.createEventBus(
      { transport: { wire: { brokers: ["a:1"] } }, plugins: { greeter: { greeting: "hi" } } },
      { options: { greeter: { punctuation: "!" } } },
    );
    expect(bus.greet?.("ann")).toBe("hi ann!");
  });

  it("accepts a plugin with nothing after its colon", () => {
    expect(
      registry
        .createEventBus({ transport: { wire: { brokers: ["a:1"] } }, plugins: { greeter: null } })
        .greet?.("x"),
    ).toBe("hello x.");
  });

  const wrong: readonly (readonly [string, unknown, string])[] = [
    ["no configuration", undefined, "configuration must be an object, got undefined"],
    [
      "an unknown section",
      { transports: {} },
      "unknown name configuration.transports (did you mean `transport`?)",
    ],
    ["no transport", { group: "g" }, "transport must be an object, got undefined"],
    [
      "an unknown transport",
      { transport: { wier: {} } },
      "unknown name transport.wier (did you mean `wire`?)",
    ],
    [
      "an unknown plugin",
      { transport: { wire: { brokers: ["a"] } }, plugins: { greter: {} } },
      "unknown name plugins.greter (did you mean `greeter`?)",
    ],
    [
      "an unknown option",
      { transport: { wire: { brokers: ["a"], pasword: 1 } } },
      "unknown option transport.wire.pasword, got 1 (did you mean `password`?)",
    ],
    [
      "an option of a plugin",
      { transport: { wire: { brokers: ["a"] } }, plugins: { greeter: { greting: "x" } } },
      'unknown option plugins.greeter.greting, got "x" (did you mean `greeting`?)',
    ],
    [
      "a group of a wrong type",
      { group: 5, transport: { wire: { brokers: ["a"] } } },
      "createEventBus.group must be a string, got 5",
    ],
  ];
  for (const [name, config, message] of wrong) {
    it(`is refused with path and value: ${name}`, () => {
      const before = created.length;
      const error = failureOf(() => registry.createEventBus(config));
      expect([error.code, error.message]).toEqual(["BUS_CONFIG", message]);
      expect(error.details).toHaveProperty("path");
      expect(created.length).toBe(before);
    });
  }

  it("describes itself with secrets masked and the client's own property names", () => {
    const bus = registry.createEventBus({
      transport: { wire: { brokers: ["a:1"], password: "hush" } },
    });
    const text = JSON.stringify(bus.describe());
    expect(text).not.toContain("hush");
    expect(bus.describe()).toMatchObject({
      transport: { name: "wire", client: { "bootstrap.servers": ["a:1"] } },
    });
  });

  it("has a JSON Schema of everything, for editors", () => {
    expect(registry.jsonSchema()).toMatchObject({
      additionalProperties: false,
      properties: {
        transport: { properties: { wire: { properties: { brokers: { type: "array" } } } } },
        plugins: { properties: { greeter: { properties: { greeting: { default: "hello" } } } } },
      },
    });
  });
});

describe("a registry", () => {
  it("refuses two definitions of one name", () => {
    expect(failureOf(() => createPluginRegistry([wire, wire])).message).toBe(
      "wire is registered twice",
    );
  });
});
