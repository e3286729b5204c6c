import { createEventBus } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";

const broker = memoryBroker({ partitions: 4 });
await using shop = createEventBus({ transport: memory({ broker }) });
await using billing = createEventBus({ group: "billing", transport: memory({ broker }) });
const invoiced = new Promise((resolve) => {
  void billing.subscribe("orders", ({ key }) => resolve(key));
});
await Promise.all([shop.start(), billing.start()]);

broker.faults.failPublish({ times: 1, stored: true }); // stored, but the answer gets lost
await shop.publish("orders", new Uint8Array(1), { key: "order-1" }).catch(() => undefined);
export const key: unknown = await invoiced; // "order-1"
