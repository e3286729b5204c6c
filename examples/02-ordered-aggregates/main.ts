import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { aggregate } from "@bus/aggregate";
import { backlog } from "@bus/backlog";
import { createPluginRegistry, defineTopic } from "@bus/core";
import { memory } from "@bus/memory";
import { parse } from "yaml";

/** Orders of many customers from four partitions: each customer in order, all customers at once. */
interface OrderStep {
  readonly customer: string;
  readonly step: number;
}

const CUSTOMERS = 50;
const STEPS = 10;
const HANDLER_MS = 5;

const Orders = defineTopic<OrderStep>("orders", { key: (order) => order.customer });
const registry = createPluginRegistry([memory, aggregate, backlog]);
const config: unknown = parse(await readFile(new URL("bus.yaml", import.meta.url), "utf8"));

await using bus = registry.createEventBus(config);
const steps = new Map<string, number[]>();
let running = 0;
let mostAtOnce = 0;
let handled = 0;
const done = Promise.withResolvers<void>();

await bus.subscribe(
  Orders,
  async ({ value }) => {
    mostAtOnce = Math.max(mostAtOnce, ++running);
    await sleep(HANDLER_MS); // a database, another service
    steps.set(value.customer, [...(steps.get(value.customer) ?? []), value.step]);
    running--;
    if (++handled === CUSTOMERS * STEPS) done.resolve();
  },
  { ordering: "key" },
);
await bus.start();

console.log(`recovery mode at the start: ${bus.isInRecoveryMode?.()}`);
for (let step = 0; step < STEPS; step++) {
  const round = Array.from({ length: CUSTOMERS }, (_, index) => ({
    customer: `customer-${index}`,
    step,
  }));
  await bus.publishMany(Orders, round);
}
await done.promise;

const inOrder = [...steps.values()].every((seen) => seen.every((step, index) => step === index));
console.log(`${handled} steps of ${steps.size} customers, in order: ${inOrder}`);
console.log(`more handlers at once than partitions: ${mostAtOnce > 4}`);
