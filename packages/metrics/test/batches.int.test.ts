import { expect, it } from "vitest";
import { Orders, world } from "./support/service.ts";

const ofOrders = { topic: "orders", group: "billing" };

it("a message in a batch is timed as one run of its handler, and on the way of each message", async () => {
  const { clock, service } = world();
  const { bus, scrape, passing, close } = service();
  const sizes: number[] = [];
  await bus.subscribeBatch(
    Orders,
    (messages, { batch }) => {
      sizes.push(messages.length, batch?.length ?? 0);
      return new Promise((resolve) => clock.schedule(resolve, 200));
    },
    { maxMessages: 3, maxWaitMs: 50 },
  );
  await passing(bus.start());
  await bus.publishMany(Orders, [1, 11, 21]);
  await clock.advanceAsync(1_000);
  const text = await scrape();
  expect(sizes).toEqual([3, 3]);
  expect(text.sum("bus_message_processing_seconds_count", ofOrders)).toBe(1);
  expect(text.sum("bus_message_processing_seconds_sum", ofOrders)).toBeCloseTo(0.2, 5);
  expect(text.sum("bus_message_end_to_end_seconds_count", ofOrders)).toBe(3);
  await close();
});
