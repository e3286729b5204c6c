import { setTimeout as sleep } from "node:timers/promises";
import { createEventBus } from "@bus/core";
import { dlq } from "@bus/dlq";
import { memory } from "@bus/memory";
import { Flights, handleFlight, loadFlights, service } from "./delays-service.ts";

const bus = createEventBus({
  group: "delays",
  transport: memory({ partitions: 4 }),
  plugins: [dlq({ retry: { attempts: 4, baseMs: 5 } })],
});
let retries = 0;
bus.observe({ retried: () => void (retries += 1) });
await bus.subscribe(Flights, handleFlight);
await bus.start();

const flights = await loadFlights(2_000);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
for (const [index, flight] of flights.entries()) {
  await bus.publish(Flights, flight);
  // Somebody else publishes here too, and not always well.
  if (index === 500) await bus.publish("flights", bytes('{"date":"2001/01/03 1'), { key: "SFO" });
  const odd = bytes(JSON.stringify({ ...flight, delay: "17" }));
  if (index === 1_000) await bus.publish("flights", odd, { key: "SFO" });
}
await settled();
console.log(`${flights.length} flights and 2 poison ones published`);
console.log(`${service.handled} handled, ${retries} retries that helped`);

const letters = await bus.deadLetters.list({ topic: "flights", limit: 1_000 });
const causes = Map.groupBy(letters, (one) => `${one.errorClass} ${one.errorCode || one.errorName}`);
for (const [cause, { length }] of [...causes].toSorted(([left], [right]) =>
  left.localeCompare(right),
))
  console.log(`dead letters: ${length} ${cause}`);

const broken = letters.filter(({ errorCode }) => errorCode === "BUS_DECODE").map(({ id }) => id);
const discarded = await bus.deadLetters.discard({
  topic: "flights",
  ids: broken,
  reason: "half a message",
  by: "on call",
});
console.log(`discarded: ${discarded.done}`);

service.isFixed = true;
service.handled = 0;
const report = await bus.deadLetters.replay({ topic: "flights" });
await settled();
console.log(`after the fix: ${report.done} replayed, ${service.handled} handled`);
console.log(`second replay: ${(await bus.deadLetters.replay({ topic: "flights" })).done} replayed`);
console.log(`open: ${(await bus.deadLetters.list({ topic: "flights" })).length}`);
await bus.close();

/** Wait until everything published has been handled or dead-lettered. */
async function settled(): Promise<void> {
  while ((await bus.lag()).partitions.some(({ lagMessages }) => lagMessages > 0n)) await sleep(20);
}
