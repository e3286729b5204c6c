import { aggregate } from "@bus/aggregate";
import { createEventBus } from "@bus/core";
import { kafka } from "@bus/kafka";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { startKafka } from "@bus/tools-brokers";
import { benchTopic, busConsumer, rawKafkajsConsumer } from "./kafka-contenders.ts";
import { printTable, runSideBySide } from "./side-by-side.ts";
import { Workload, WORKLOAD_HEADERS } from "./workload.ts";
import type { KeySpread } from "./workload.ts";

/**
 * Ordered lanes on a real broker: how near the engine comes to what the keys allow. A key's messages run one after the
 * other, so the hottest key bounds the rate; order and overlap are checked in every run.
 */
const PARTITIONS = 16;
const CONCURRENCY = 256;
const ROUNDS = Number(process.argv[3] ?? 3);

interface Case {
  readonly spread: KeySpread;
  readonly messages: number;
  readonly handlerMs: number;
}

const CASES: readonly Case[] = [
  { spread: "zipf", messages: 100_000, handlerMs: 1 },
  { spread: "zipf", messages: 20_000, handlerMs: 5 },
  { spread: "zipf", messages: 2_500, handlerMs: 50 },
  { spread: "uniform", messages: 200_000, handlerMs: 1 },
  { spread: "uniform", messages: 200_000, handlerMs: 5 },
  { spread: "uniform", messages: 50_000, handlerMs: 50 },
];

await using cluster = await startKafka();
const { brokers } = cluster;
const filler = createEventBus({
  transport: kafka({
    brokers,
    driver: kafkajsDriver(),
    topics: { ensure: "create", partitions: PARTITIONS },
  }),
});
await filler.start();

const subscribe = { ordering: "key" } as const;
const plugins = [aggregate({ concurrency: CONCURRENCY, maxLanes: 10_000 })];

console.log(
  `lanes: ${PARTITIONS} partitions, ${CONCURRENCY} handlers at once, kafkajs driver, ${ROUNDS} runs, median [min–max]\n`,
);
console.log(
  "keys     handler  messages   ceiling/s    reached/s                      share   CPU µs/msg   RSS MB",
);
for (const { spread, messages, handlerMs } of CASES) {
  const workload = new Workload(spread, messages);
  const topic = await fill(`${spread}-${handlerMs}`, workload);
  const contender = busConsumer(
    { brokers, topic, messages },
    { name: topic, driver: kafkajsDriver(), plugins, subscribe, handlerMs },
  );
  const [result] = await runSideBySide([contender], ROUNDS);
  if (result === undefined) continue;
  const ceiling = Math.min(
    (CONCURRENCY * 1000) / handlerMs,
    (messages / workload.hottest()) * (1000 / handlerMs),
  );
  const { median, min, max } = result.perSecond;
  const reached = `${Math.round(median)} [${Math.round(min)}–${Math.round(max)}]`;
  console.log(
    `${spread.padEnd(8)} ${`${handlerMs} ms`.padStart(7)}  ${String(messages).padStart(8)}  ${String(Math.round(ceiling)).padStart(10)}    ${reached.padEnd(28)}  ${`${((median / ceiling) * 100).toFixed(1)} %`.padStart(7)}   ${(result.cpuNsPerMessage.median / 1000).toFixed(2).padStart(10)}   ${Math.round(result.rssMb).toString().padStart(6)}`,
  );
}

const messages = 500_000;
const topic = await fill("zipf-noop", new Workload("zipf", messages));
await filler.close();
const job = { brokers, topic, messages };
const results = await runSideBySide(
  [
    rawKafkajsConsumer(job),
    busConsumer(job, { name: "lanes, no-op handler", driver: kafkajsDriver(), plugins, subscribe }),
  ],
  ROUNDS,
);
printTable(
  `no-op handler through the lanes, ${messages} messages, Zipf keys, beside raw kafkajs`,
  results,
);

async function fill(name: string, workload: Workload): Promise<string> {
  const target = benchTopic(name);
  for (let from = 0; from < workload.length; from += 5_000) {
    const batch = workload.slice(from, from + 5_000);
    await Promise.all(
      batch.map(({ key, value }) =>
        filler.publish(target, value, { key, headers: WORKLOAD_HEADERS }),
      ),
    );
  }
  return name;
}
