import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createEventBus } from "@bus/core";
import { kafka } from "@bus/kafka";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { startKafka } from "@bus/tools-brokers";
import { benchTopic } from "./kafka-contenders.ts";
import type { LanesJob, LanesOutcome } from "./lanes-run.ts";
import { printTable } from "./side-by-side.ts";
import { Workload, WORKLOAD_HEADERS } from "./workload.ts";
import type { KeySpread } from "./workload.ts";

/**
 * Ordered lanes on a real broker: how near the engine comes to what the keys allow. A key's messages run one after the
 * other, so the hottest key bounds the rate; order and overlap are checked in every run. The ceiling is what keys and
 * concurrency allow with a handler that takes exactly its time, `share` how much of it was reached. `took` is the time
 * that handlers took in truth on the machine as it was (where a key is the bound, those of the hottest), `of real` the
 * share of the ceiling that this time allows: what it lacks to 100 % was lost between one handler and the next. Each case
 * has a process of its own.
 *
 * `pnpm bench lanes [rounds] [cases]`: cases as `zipf-1,uniform-5,noop`; all of them without.
 */
const PARTITIONS = 16;
const CONCURRENCY = 256;
const ROUNDS = Number(process.argv[3] ?? 3);
const ONLY = process.argv[4]?.split(",");
const NOOP_MESSAGES = 500_000;

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

console.log(
  `lanes: ${PARTITIONS} partitions, ${CONCURRENCY} handlers at once, kafkajs driver, ${ROUNDS} runs after one to warm up, median [min–max]\n`,
);
console.log(
  "keys     handler       took  messages   ceiling/s    reached/s                      share  of real  CPU µs/msg   peak RSS MB",
);
for (const one of CASES) if (isWanted(`${one.spread}-${one.handlerMs}`)) await measureCase(one);
if (isWanted("noop")) await measureNoop();

function isWanted(name: string): boolean {
  return ONLY === undefined || ONLY.includes(name);
}

async function measureCase({ spread, messages, handlerMs }: Case): Promise<void> {
  const workload = new Workload(spread, messages);
  const topic = `${spread}-${handlerMs}`;
  await fill(topic, workload);
  const { results, times, peakRssMb } = await run({ ...jobOf(topic, messages), handlerMs });
  const [result] = results;
  if (result === undefined) throw new Error(`case ${topic} has no result`);
  const keyLanes = messages / workload.hottest();
  const slots = Math.min(CONCURRENCY, keyLanes);
  const took = times.map(({ allMs, hottestMs }) => (keyLanes < CONCURRENCY ? hottestMs : allMs));
  const tookMs = took.toSorted((one, other) => one - other)[Math.floor((took.length - 1) / 2)] ?? 0;
  const ceiling = (slots * 1000) / handlerMs;
  const { median, min, max } = result.perSecond;
  const cells = [
    spread.padEnd(8),
    `${handlerMs} ms`.padStart(7),
    `${tookMs.toFixed(3)} ms`.padStart(9),
    String(messages).padStart(8),
    Math.round(ceiling).toString().padStart(10),
    `  ${Math.round(median)} [${Math.round(min)}–${Math.round(max)}]`.padEnd(30),
    `${((median / ceiling) * 100).toFixed(1)} %`.padStart(7),
    `${((median / ((slots * 1000) / tookMs)) * 100).toFixed(1)} %`.padStart(8),
    (result.cpuNsPerMessage.median / 1000).toFixed(2).padStart(11),
    Math.round(peakRssMb).toString().padStart(12),
  ];
  console.log(cells.join(" "));
}

async function measureNoop(): Promise<void> {
  const topic = "zipf-noop";
  await fill(topic, new Workload("zipf", NOOP_MESSAGES));
  const job = jobOf(topic, NOOP_MESSAGES);
  const { results } = await run({ ...job, besideRaw: true });
  printTable(
    `no-op handler through the lanes, ${NOOP_MESSAGES} messages, Zipf keys, beside raw kafkajs in the same process`,
    results,
  );
  const { peakRssMb } = await run(job);
  console.log(`peak RSS of the lanes without raw kafkajs: ${Math.round(peakRssMb)} MB`);
}

function jobOf(topic: string, messages: number): LanesJob {
  return { brokers, topic, messages, concurrency: CONCURRENCY, rounds: ROUNDS };
}

async function run(job: LanesJob): Promise<LanesOutcome> {
  const program = join(import.meta.dirname, "lanes-run.ts");
  const flags = [...process.execArgv, program, JSON.stringify(job)];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  const outcome: LanesOutcome = JSON.parse(stdout);
  return outcome;
}

async function fill(name: string, workload: Workload): Promise<void> {
  await using filler = createEventBus({
    transport: kafka({
      brokers,
      driver: kafkajsDriver(),
      topics: { ensure: "create", partitions: PARTITIONS },
    }),
  });
  await filler.start();
  const target = benchTopic(name);
  for (let from = 0; from < workload.length; from += 5_000) {
    const batch = workload.slice(from, from + 5_000);
    await Promise.all(
      batch.map(({ key, value }) =>
        filler.publish(target, value, { key, headers: WORKLOAD_HEADERS }),
      ),
    );
  }
}
