import { backlog } from "@bus/backlog";
import { createEventBus, defineTopic } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { metrics } from "@bus/metrics";

/** A service that is asked how it is: idle, behind and stalled, with its warehouse down, with a broker that stores nothing. */
interface Order {
  readonly id: number;
}

const Orders = defineTopic<Order>("orders", { key: (order) => `customer-${order.id % 5}` });

const broker = memoryBroker({ partitions: 2 });
await using bus = createEventBus({
  group: "billing",
  transport: memory({ broker }),
  stalledAfterMs: 300, // a minute when absent
  publishProbe: { topic: "billing-probe", intervalMs: 0 },
  plugins: [
    backlog({ maxLagMessages: 20, checkIntervalMs: 50 }),
    metrics({ server: { port: 0 }, defaultLabels: { service: "billing" } }),
  ],
});

const gate = Promise.withResolvers<void>();
await bus.subscribe(Orders, () => gate.promise);

let warehouseIsUp = true;
bus.addHealthCheck({
  name: "warehouse",
  check: () =>
    warehouseIsUp
      ? { status: "healthy", detail: "" }
      : { status: "unhealthy", detail: "the warehouse does not answer" },
});

await bus.start();
const get = (path: string): Promise<Response> => fetch(`${bus.metrics.url}${path}`);

async function show(situation: string): Promise<void> {
  const { status } = await get("/health/ready");
  const { components } = await bus.health();
  const ill = Object.entries(components).filter((component) => component[1].status !== "healthy");
  console.log(`${situation}: /health/ready answers ${status}`);
  for (const [name, { status: how, detail }] of ill) console.log(`  ${name} is ${how}: ${detail}`);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

const isStalled = async (): Promise<boolean> =>
  (await bus.health()).components["subscriptions"]?.status === "unhealthy";
const isWell = async (): Promise<boolean> => (await bus.health()).overall === "healthy";

await show("idle");

await bus.publishMany(
  Orders,
  Array.from({ length: 100 }, (_, id) => ({ id })),
);
await until(isStalled);
await show("stalled");
const [head] = bus
  .inspect()
  .groups.flatMap(({ partitions }) => partitions.map((each) => each.head));
console.log(`  the commit waits for offset ${head?.offset}, whose handler is ${head?.state}`);

gate.resolve();
await until(isWell);
await show("moving again");

warehouseIsUp = false;
await show("without its warehouse");
warehouseIsUp = true;
broker.faults.failPublish();
await show("with a broker that stores nothing");

const text = await (await get("/metrics")).text();
console.log(text.split("\n").find((line) => /^bus_messages_consumed_total.*"ack"/.test(line)));
