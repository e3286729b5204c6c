import { afterEach, expect, it } from "vitest";
import { metrics } from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { unregisterSdk } from "./support/sdk.ts";
import { Orders, service, soon } from "./support/service.ts";

afterEach(unregisterSdk);

/** A reader that collects when it is asked. */
class ManualReader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

function meterProvider() {
  const reader = new ManualReader();
  const provider = new MeterProvider({ readers: [reader] });
  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect();
    expect(errors).toEqual([]);
    const found = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return (name: string, wanted: object = {}): unknown => {
      const points: MetricData["dataPoints"][number][] = found
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPoints }) => dataPoints as MetricData["dataPoints"][number][]); // a union of arrays
      const chosen = points.filter(({ attributes }) =>
        Object.entries(wanted).every(([key, value]) => attributes[key] === value),
      );
      return chosen.length === 1 ? chosen[0]?.value : chosen.map(({ value }) => value);
    };
  };
  return { provider, collect };
}

async function handledBy(bus: ReturnType<typeof service>, values: readonly number[]) {
  let runs = 0;
  await bus.subscribe(Orders, () => void runs++);
  await bus.start();
  await bus.publishMany(Orders, values);
  await soon(() => runs === values.length, "the handlers");
}

it("the instruments of the bus are observed by the registered meter when it collects, until the bus closes", async () => {
  const { provider, collect } = meterProvider();
  metrics.setGlobalMeterProvider(provider);
  const bus = service({ otel: { attributes: { bus: "a" } } });
  await handledBy(bus, [1, 2, 3]);
  const during = await collect();
  const ofOrders = { topic: "orders", group: "billing", bus: "a" };
  expect(during("bus_messages_published_total", { topic: "orders", outcome: "stored" })).toBe(3);
  expect(during("bus_messages_consumed_total", { ...ofOrders, outcome: "ack" })).toBe(3);
  expect(during("bus_in_flight_messages", ofOrders)).toBe(0);
  expect(during("bus_connected", { bus: "a" })).toBe(1);
  expect(during("bus_message_processing_seconds_count", ofOrders)).toBe(3);
  expect(during("bus_message_processing_seconds_sum", ofOrders)).toBeGreaterThan(0);
  expect(during("bus_message_processing_seconds_bucket", { ...ofOrders, le: "+Inf" })).toBe(3);
  expect(during("bus_message_processing_seconds_bucket", { ...ofOrders, le: "60" })).toBe(3);
  await bus.publish(Orders, 4);
  const later = await collect();
  expect(later("bus_messages_published_total", { topic: "orders", outcome: "stored" })).toBe(4);
  await bus.close();
  let reads = 0;
  bus.instruments.onRead(() => reads++);
  await collect();
  expect(reads).toBe(0);
});

it("two buses of one process are told apart by their attributes", async () => {
  const { provider, collect } = meterProvider();
  const buses = ["a", "b"].map((name) =>
    service({ otel: { meterProvider: provider, attributes: { bus: name } } }),
  );
  await handledBy(buses[0] ?? service(), [1]);
  await handledBy(buses[1] ?? service(), [1, 2]);
  const read = await collect();
  const outcome = "stored";
  expect(read("bus_messages_published_total", { bus: "a", outcome })).toBe(1);
  expect(read("bus_messages_published_total", { bus: "b", outcome })).toBe(2);
  for (const bus of buses) await bus.close();
});

it("metrics are left alone when only traces are wanted", async () => {
  const { provider, collect } = meterProvider();
  const bus = service({ otel: { meterProvider: provider, signals: ["traces"] } });
  await handledBy(bus, [1]);
  expect((await collect())("bus_connected")).toEqual([]);
  await bus.close();
});
