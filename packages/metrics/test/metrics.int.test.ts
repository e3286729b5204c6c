import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { createEventBus, defineTopic } from "@bus/core";
import { memory } from "@bus/memory";
import { until } from "@bus/testkit";
import { Counter, Registry } from "prom-client";
import { metrics } from "@bus/metrics";

const Orders = defineTopic<number>("orders");
const soon = { timeoutMs: 5_000, what: "it" };

async function busWith(options: Parameters<typeof metrics>[0] = {}) {
  const bus = createEventBus({
    group: "billing",
    transport: memory({ partitions: 2 }),
    plugins: [metrics(options)],
  });
  let handled = 0;
  await bus.subscribe(Orders, () => void handled++);
  await bus.start();
  return { bus, handled: () => handled };
}

/** The value of one series in Prometheus text. */
function valueOf(text: string, series: string): number | undefined {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe("metrics", () => {
  it("counts what was published and consumed, and times handlers", async () => {
    const { bus, handled } = await busWith();
    for (let value = 0; value < 5; value++) await bus.publish(Orders, value);
    await until(() => handled() === 5, soon);
    const text = await bus.metrics.scrape();
    expect(valueOf(text, 'bus_messages_published_total{topic="orders",outcome="stored"}')).toBe(5);
    expect(
      valueOf(text, 'bus_messages_consumed_total{topic="orders",group="billing",outcome="ack"}'),
    ).toBe(5);
    expect(
      valueOf(text, 'bus_message_processing_seconds_count{topic="orders",group="billing"}'),
    ).toBe(5);
    expect(
      valueOf(
        text,
        'bus_message_processing_seconds_bucket{le="+Inf",topic="orders",group="billing"}',
      ),
    ).toBe(5);
    expect(text).toContain("# TYPE bus_message_processing_seconds histogram");
    await bus.close();
  });

  it("adds nothing per key: a hundred thousand keys leave the number of series as it was", async () => {
    const { bus, handled } = await busWith();
    const Keyed = defineTopic<number>("orders", { key: (value) => `customer ${value}` });
    await bus.publish(Keyed, 0);
    await until(
      async () => (await bus.metrics.scrape()).includes("bus_commit_seconds_count"),
      soon,
    );
    const seriesOf = (text: string): number =>
      text.split("\n").filter((line) => line.startsWith("bus_")).length;
    const before = seriesOf(await bus.metrics.scrape());
    await bus.publishMany(
      Keyed,
      Array.from({ length: 100_000 }, (_, index) => index),
    );
    await until(() => handled() === 100_001, { ...soon, timeoutMs: 20_000 });
    expect(seriesOf(await bus.metrics.scrape())).toBe(before);
    await bus.close();
  });

  it("of two buses share a registry without colliding, and leave it when their bus closes", async () => {
    const registry = new Registry();
    const first = await busWith({ registry, defaultLabels: { bus: "a" } });
    const second = await busWith({ registry, defaultLabels: { bus: "b" } });
    await first.bus.publish(Orders, 1);
    await second.bus.publish(Orders, 1);
    await second.bus.publish(Orders, 2);
    await until(() => first.handled() === 1 && second.handled() === 2, soon);
    await first.bus.metrics.scrape();
    const text = await second.bus.metrics.scrape();
    expect(
      valueOf(text, 'bus_messages_published_total{bus="a",topic="orders",outcome="stored"}'),
    ).toBe(1);
    expect(
      valueOf(text, 'bus_messages_published_total{bus="b",topic="orders",outcome="stored"}'),
    ).toBe(2);
    await first.bus.close();
    await second.bus.close();
    expect(await registry.metrics()).not.toContain("bus_");
  });

  it("are fresh when the service scrapes the registry by itself, new metrics and other buses included", async () => {
    const registry = new Registry();
    const { bus, handled } = await busWith({ registry, defaultLabels: { bus: "a" } });
    const other = await busWith({ registry, defaultLabels: { bus: "b" } });
    expect(await registry.metrics()).not.toContain("bus_messages_published_total");
    await bus.publish(Orders, 1);
    await other.bus.publish(Orders, 1);
    await until(() => handled() === 1 && other.handled() === 1, soon);
    const text = await registry.metrics();
    for (const name of ["a", "b"])
      expect(
        valueOf(
          text,
          `bus_messages_consumed_total{bus="${name}",topic="orders",group="billing",outcome="ack"}`,
        ),
      ).toBe(1);
    expect(text).toContain("bus_messages_published_total");
    await bus.close();
    await other.bus.close();
  });

  it("refuse to mix with a metric of the service that has the same name", async () => {
    const registry = new Registry();
    registry.registerMetric(new Counter({ name: "bus_connected", help: "mine", registers: [] }));
    const bus = createEventBus({ transport: memory(), plugins: [metrics({ registry })] });
    bus.instruments.gauge({ name: "bus_connected", help: "h", kind: "gauge", labels: [] }).set(1);
    await expect(bus.start()).rejects.toMatchObject({
      code: "BUS_CONFIG",
      message: expect.stringContaining("bus_connected"),
    });
  });
});

describe("the HTTP endpoints", () => {
  it("answer on loopback, from the start of the bus to its end", async () => {
    const { bus } = await busWith({ server: { port: 0 } });
    const { url } = bus.metrics;
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${url}${path}`, init);
      return {
        status: response.status,
        body: await response.text(),
        type: response.headers.get("content-type"),
      };
    };
    expect(await get("/metrics")).toMatchObject({
      status: 200,
      type: expect.stringContaining("text/plain"),
    });
    expect(await get("/health/live")).toMatchObject({ status: 200 });
    expect(await get("/health/ready")).toMatchObject({ status: 200, body: '{"status":"healthy"}' });
    expect(JSON.parse((await get("/health")).body)).toMatchObject({
      overall: "healthy",
      components: { bus: { status: "healthy" } },
    });
    expect(await get("/nothing")).toMatchObject({
      status: 404,
      body: expect.stringContaining("/metrics"),
    });
    expect(await get("/toString")).toMatchObject({ status: 404 });
    expect(await get("/metrics", { method: "POST" })).toMatchObject({ status: 405 });
    bus.addHealthCheck({
      name: "database",
      check: () => ({ status: "unhealthy", detail: "down" }),
    });
    expect(await get("/health/ready")).toMatchObject({ status: 503 });
    expect(await get("/health/live")).toMatchObject({ status: 200 });
    await bus.close();
    await expect(fetch(`${url}/health/live`)).rejects.toThrow("fetch failed");
    expect(bus.metrics.url).toBeUndefined();
  });

  it("mount on a server of the service's own", async () => {
    const { bus } = await busWith();
    const server = createServer(bus.metrics.handler);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await bus.close();
  });

  it("say at the start when their address is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    await expect(busWith({ server: { port } })).rejects.toMatchObject({
      code: "BUS_CONFIG",
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    await new Promise((resolve) => taken.close(resolve));
  });
});
