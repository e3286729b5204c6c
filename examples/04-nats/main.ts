import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createPluginRegistry, defineTopic } from "@bus/core";
import type { EventBus } from "@bus/core";
import { nats } from "@bus/nats";
import { startNats } from "@bus/tools-brokers";
import { parse } from "yaml";

/** Orders of many customers; two processes share them, and the steps of each customer stay in order. */
interface OrderStep {
  readonly customer: string;
  readonly step: number;
}

const CUSTOMERS = 24;
const STEPS = 20;

const Orders = defineTopic<OrderStep>("orders", { key: (order) => order.customer });
const registry = createPluginRegistry([nats]);
const config: unknown = parse(await readFile(new URL("bus.yaml", import.meta.url), "utf8"));

await using cluster = await startNats();
const steps = new Map<string, number[]>();
const workers = new Map<string, number>();

/** One process of the group `billing`; here two of them live in one program. */
async function startWorker(name: string): Promise<EventBus> {
  const options = { nats: { servers: cluster.servers } };
  const bus = registry.createEventBus(config, { options });
  await bus.subscribe(Orders, async ({ value }) => {
    await sleep(2); // a database, another service
    steps.set(value.customer, [...(steps.get(value.customer) ?? []), value.step]);
    workers.set(name, (workers.get(name) ?? 0) + 1);
  });
  await bus.start();
  return bus;
}

function handled(): number {
  return [...workers.values()].reduce((sum, count) => sum + count, 0);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

async function publishSteps(bus: EventBus, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++)
    await bus.publishMany(
      Orders,
      Array.from({ length: CUSTOMERS }, (_, index) => ({ customer: `customer-${index}`, step })),
    );
}

const first = await startWorker("first");
await publishSteps(first, 0, STEPS / 4);
await until(() => handled() === (CUSTOMERS * STEPS) / 4);
console.log(`the first process handled all ${workers.get("first")} steps alone`);

const second = await startWorker("second");
await publishSteps(first, STEPS / 4, STEPS / 2);
await until(() => (workers.get("second") ?? 0) > 0);
await publishSteps(first, STEPS / 2, (STEPS * 3) / 4);
await until(() => handled() === (CUSTOMERS * STEPS * 3) / 4);
console.log("a second process joined and took its share of the partitions");

await first.close();
await publishSteps(second, (STEPS * 3) / 4, STEPS);
await until(() => handled() === CUSTOMERS * STEPS);
console.log("the first process left, the second handled the rest");

const inOrder = [...steps.values()].every((seen) => seen.every((step, index) => step === index));
console.log(`${handled()} steps of ${steps.size} customers, once and in order: ${inOrder}`);
await second.close();
