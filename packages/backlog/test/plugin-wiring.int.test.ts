import { BACKLOG, BusError, createEventBus, createPluginRegistry, definePlugin } from "@bus/core";
import type { BacklogSource, ConfiguredTransport } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock, until } from "@bus/testkit";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { BACKLOG_DEFAULTS } from "../src/backlog-options.ts";
import { backlog } from "../src/backlog-plugin.ts";
import type { BacklogReport } from "../src/backlog-report.ts";
import { driven, Gate, numbers, Orders } from "./support/numbers.ts";

const soon = { timeoutMs: 8_000 };

test("the service tells other plugins of every check", async () => {
  const verdicts: string[] = [];
  let source: BacklogSource | undefined;
  const listener = definePlugin({
    name: "listener",
    options: optionTable<object, object>({}),
    create: () => ({
      install: (host) => ({
        api: {},
        start() {
          source = host.require(BACKLOG);
          source.onCheck((verdict) => void verdicts.push(verdict));
        },
      }),
    }),
  });
  await using bus = createEventBus({
    group: "g",
    transport: memory({ partitions: 1 }),
    plugins: [listener(), backlog()],
  });
  await bus.subscribe(Orders, () => undefined);
  await bus.start();
  await until(() => verdicts.length > 0, { ...soon, what: "the first check" });
  expect(verdicts).toEqual(["clear"]);
  expect(await source?.check()).toBe("clear");
  expect(source?.verdict).toBe("clear");
});

test("a broker that does not answer publishes presses the publish side, and its end is told", async () => {
  const clock = manualClock();
  const broker = memoryBroker();
  const pressure: string[] = [];
  await using bus = createEventBus({
    clock,
    transport: memory({ broker, partitions: 1, clientId: "cut", publishTimeoutMs: 60_000 }),
    plugins: [
      backlog({
        checkIntervalMs: 1_000,
        checkJitter: 0,
        publisher: { maxBufferedMessages: 10, maxOldestMs: 3_000 },
        onPublisherPressure: ({ severity, worst }) => void pressure.push(`${severity} ${worst}`),
      }),
    ],
  });
  await bus.start();
  await bus.publish(Orders, 0);
  expect(bus.backlog.publisher).toMatchObject({ verdict: "clear", severity: "normal" });
  const reconnect = broker.faults.dropConnection("cut");
  const publishing = bus.publishMany(Orders, numbers(6));
  await clock.advanceAsync(0);
  expect(bus.backlog.publisher.detail()).toMatchObject({
    bufferedMessages: 6,
    severity: "low",
    worst: "bufferedMessages",
  });
  expect(bus.backlog.publisher.detail().bufferedBytes).toBeGreaterThan(6);
  await clock.advanceAsync(3_000);
  expect(bus.backlog.publisher).toMatchObject({ verdict: "backlog", severity: "high" });
  reconnect();
  await driven(clock, publishing);
  await clock.advanceAsync(2_000);
  expect(bus.backlog.publisher).toMatchObject({ verdict: "clear" });
  expect(pressure[0]).toBe("low bufferedMessages");
  expect(pressure).toContain("high oldestMs");
  expect(pressure.at(-1)).toContain("normal");
  await driven(clock, bus.close());
});

test("a transport that cannot tell its lag is refused when the bus is put together", () => {
  const inner = memory();
  const silent: ConfiguredTransport = {
    ...inner,
    create: (host) => {
      const transport = inner.create(host);
      const { lag: _, ...capabilities } = transport.capabilities;
      return Object.create(transport, {
        capabilities: { value: capabilities },
        name: { value: "silent" },
      }) as typeof transport;
    },
  };
  const thrown = failureOf(() => createEventBus({ transport: silent, plugins: [backlog()] }));
  expect(BusError.is(thrown, "BUS_UNSUPPORTED")).toBe(true);
  expect(thrown).toMatchObject({
    message: "plugin backlog needs the capability lag, which transport silent does not have",
    details: { transport: "silent", capability: "lag" },
  });
});

test("nothing is left after close: no timer, no check", async () => {
  const clock = manualClock();
  const bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ partitions: 1 }),
    plugins: [backlog()],
  });
  await bus.subscribe(Orders, () => undefined);
  await bus.start();
  await clock.advanceAsync(25_000);
  await bus.close();
  expect(clock.pending).toBe(0);
  await expect(bus.backlog.check()).rejects.toMatchObject({ code: "BUS_CLOSED" });
});

test("a bus from YAML detects a backlog, and wrong options are refused with their path", async () => {
  const clock = manualClock();
  const registry = createPluginRegistry([memory, backlog]);
  const text =
    "group: g\ntransport: { memory: { partitions: 1 } }\nplugins: { backlog: { maxLagMessages: 10, checkIntervalMs: 500 } }";
  const begun: bigint[] = [];
  const onBacklog = ({ totalLagMessages }: BacklogReport): void =>
    void begun.push(totalLagMessages);
  await using bus = registry.createEventBus(parse(text), {
    clock,
    options: { backlog: { onBacklog } },
  });
  using gate = new Gate();
  await bus.subscribe(Orders, gate.pass);
  await bus.start();
  await bus.publishMany(Orders, numbers(11));
  await clock.advanceAsync(600);
  expect(begun).toEqual([11n]);
  gate.open();

  const wrong = (options: string) => () =>
    registry.createEventBus(parse(`group: g\ntransport: memory\nplugins: { backlog: ${options} }`));
  expect(wrong("{ maxLagMesages: 5 }")).toThrow(
    "unknown option plugins.backlog.maxLagMesages, got 5 (did you mean `maxLagMessages`?)",
  );
  expect(wrong("{ checkIntervalMs: 0 }")).toThrow("plugins.backlog.checkIntervalMs");
  expect(wrong("{ publisher: { maxOldest: 5 } }")).toThrow("did you mean `maxOldestMs`?");
});

test("every default stands in one frozen table, and the schema has it", () => {
  expect(Object.isFrozen(BACKLOG_DEFAULTS)).toBe(true);
  expect(backlog().options).toEqual(BACKLOG_DEFAULTS);
  type Properties = Record<string, { default?: unknown; description?: string }>;
  const schema = createPluginRegistry([memory, backlog]).jsonSchema() as {
    properties: { plugins: { properties: { backlog: { properties: Properties } } } };
  };
  const { properties } = schema.properties.plugins.properties.backlog;
  for (const [name, property] of Object.entries(properties))
    expect(property.description, name).toBeTruthy();
  const { publisher: _, ...flat } = BACKLOG_DEFAULTS;
  for (const [name, value] of Object.entries(flat))
    expect(properties[name]?.default, name).toEqual(value);
});

function failureOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
