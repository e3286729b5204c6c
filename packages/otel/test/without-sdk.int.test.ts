import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { createEventBus, createPluginRegistry } from "@bus/core";
import type { HeaderList } from "@bus/core";
import { memory } from "@bus/memory";
import { propagation } from "@opentelemetry/api";
import { otel } from "@bus/otel";
import { SCOPE_VERSION } from "../src/tracer-source.ts";
import { registerSdk, unregisterSdk } from "./support/sdk.ts";
import { Orders, service, soon, textOf } from "./support/service.ts";

afterEach(unregisterSdk);

describe("without an SDK", () => {
  it("nothing is added to messages; one that is registered later is used from then on", async () => {
    const bus = service();
    const headers: HeaderList[] = [];
    await bus.subscribe(Orders, (message) => void headers.push(message.headers));
    await bus.start();
    await bus.publish(Orders, 1, { headers: { a: "1" } });
    await soon(() => headers.length === 1, "the first message");
    const sdk = registerSdk();
    await bus.publish(Orders, 2);
    await soon(() => headers.length === 2, "the second message");
    await bus.close();
    expect(headers.map((each) => textOf(each).map(([name]) => name))).toEqual([
      ["a"],
      ["traceparent"],
    ]);
    expect(sdk.names.toSorted()).toEqual(["process orders", "send orders"]);
  });
});

describe("with a tracer provider", () => {
  it("and no propagator, the log says that traces end at the broker", async () => {
    const { provider } = registerSdk();
    propagation.disable();
    const warnings: string[] = [];
    const drop = (): void => undefined;
    const logger = {
      debug: drop,
      info: drop,
      error: drop,
      warn: (message: string) => void warnings.push(message),
    };
    const plugins = [otel({ tracerProvider: provider })];
    const bus = createEventBus({ transport: memory(), logger, plugins });
    await bus.start();
    await bus.close();
    expect(warnings).toEqual([
      "no propagator is registered: traces end where messages are published",
    ]);
  });
});

describe("options", () => {
  it("are checked: signals, the way to consume, and names", () => {
    const messageOf = (options: object): string => {
      try {
        otel(options);
        return "accepted";
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    };
    expect(messageOf({ signals: ["logs"] })).toMatch(/otel\.signals.*traces, metrics.*logs/);
    expect(messageOf({ consume: "child" })).toMatch(/otel\.consume/);
    expect(messageOf({ comsume: "link" })).toMatch(/did you mean .*consume/);
    expect(messageOf({ signals: ["traces"], consume: "link" })).toBe("accepted");
  });

  it("may come from a configuration file", () => {
    const registry = createPluginRegistry([memory, otel]);
    const config = { transport: { memory: {} }, plugins: { otel: { consume: "link" } } };
    expect(registry.createEventBus(config).describe()["plugins"]).toEqual({
      otel: { signals: ["traces", "metrics"], consume: "link", attributes: {} },
    });
    const wrong = { ...config, plugins: { otel: { consume: "sibling" } } };
    expect(() => registry.createEventBus(wrong)).toThrowError(
      /plugins\.otel\.consume.*parent, link/,
    );
  });

  it("the scope's version is that of the package", () => {
    const manifest: unknown = JSON.parse(
      readFileSync(new URL("../package.json", import.meta.url), "utf8"),
    );
    expect(manifest).toMatchObject({ version: SCOPE_VERSION });
  });
});
