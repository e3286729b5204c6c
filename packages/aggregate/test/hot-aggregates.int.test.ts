import { createEventBus } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock } from "@bus/testkit";
import { expect, test } from "vitest";
import { aggregate } from "../src/aggregate-plugin.ts";
import { OrderBooks, Orders } from "./support/orders.ts";

const MESSAGES = 10_000;
const KEYS = 5_000;
const HANDLER_MS = 5;

/** Zipf's law with exponent 1: the n-th aggregate has 1/n of the messages of the first. */
function zipfIds(): readonly string[] {
  const cumulated: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= KEYS; rank++) cumulated.push((sum += 1 / rank));
  return Array.from({ length: MESSAGES }, (_, index) => {
    // The golden ratio spreads its multiples evenly: the same draw in every run.
    const target = ((index * 0.618_033_988_749_895) % 1) * sum;
    return `id-${cumulated.findIndex((upTo) => upTo >= target)}`;
  });
}

test("the hottest aggregate alone bounds the time of a backlog: its handlers follow each other without a gap", async () => {
  const clock = manualClock();
  const books = new OrderBooks();
  const ids = zipfIds();
  const bus = createEventBus({
    group: "g",
    clock,
    transport: memory({ broker: memoryBroker({ partitions: 16 }) }),
    plugins: [aggregate()],
  });
  await bus.subscribeWithAggregateId(
    Orders,
    books.handler(() => new Promise((resolve) => void clock.schedule(resolve, HANDLER_MS))),
  );
  await bus.start();
  await books.publish(bus, ids);
  const startedMs = clock.monotonicMs();
  while (books.ledger.outstanding > 0 && clock.monotonicMs() - startedMs < 60_000)
    await clock.advanceAsync(1);
  const tookMs = clock.monotonicMs() - startedMs;
  await bus.close();
  await books.check();
  const hottest = ids.filter((id) => id === "id-0").length;
  expect((hottest * HANDLER_MS) / tookMs).toBeGreaterThan(0.98);
}, 30_000);
