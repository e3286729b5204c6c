import { createEventBus } from "@bus/core";
import { setTimeout as sleep } from "node:timers/promises";
import { confluentDriver } from "../src/confluent/index.ts";
import { kafka } from "../src/index.ts";
import { kafkajsDriver } from "../src/kafkajs/index.ts";

/** What `memory.conformance.test.ts` has a process of its own do: consume large messages slowly, and watch its memory. */
interface Job {
  readonly broker: string;
  readonly driver: "kafkajs" | "confluent";
  readonly topic: string;
  readonly messages: number;
  readonly maxInFlightBytes: number;
  readonly handlerMs: number;
}

const SAMPLE_MS = 10;

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
const drivers = { kafkajs: kafkajsDriver, confluent: confluentDriver } as const;
const bus = createEventBus({
  group: `memory-${job.driver}`,
  transport: kafka({
    brokers: [job.broker],
    driver: drivers[job.driver](),
    consumer: { maxInFlightBytes: job.maxInFlightBytes },
  }),
});
let handled = 0;
let peakInFlightBytes = 0;
let peakRssBytes = 0;
let baseRssBytes = 0;
const sample = (): void => {
  peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
  const inFlight = bus
    .inspect()
    .groups.flatMap(({ partitions }) => partitions)
    .reduce((sum, { inFlightBytes }) => sum + inFlightBytes, 0);
  peakInFlightBytes = Math.max(peakInFlightBytes, inFlight);
};
await bus.subscribe(
  job.topic,
  async () => {
    await sleep(job.handlerMs);
    handled += 1;
  },
  { ordering: "none", concurrency: 8 },
);
// Before anything is fetched, with everything loaded.
baseRssBytes = process.memoryUsage.rss();
await bus.start();
const sampling = setInterval(sample, SAMPLE_MS);
while (handled < job.messages) await sleep(SAMPLE_MS);
clearInterval(sampling);
await bus.close();
process.stdout.write(JSON.stringify({ handled, baseRssBytes, peakRssBytes, peakInFlightBytes }));
