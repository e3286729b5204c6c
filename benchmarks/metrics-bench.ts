import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { PATHS } from "./metrics-paths.ts";
import { measure, printTable, runSideBySide } from "./side-by-side.ts";
import type { Contender, ContenderResult, Measurement } from "./side-by-side.ts";

/** What metrics and tracing cost a message: the same path with and without them, in processes that take turns. */
const MESSAGES = 500_000;
const WARM_UP = 300_000;
/** Runs in one process; the one that took least counts, since others disturb a run and never speed it up. */
const RUNS = 5;
const PROCESSES = 9;
const BUDGET_NS = 50;

const run = promisify(execFile);
const [, , , only] = process.argv;
if (only === undefined) await compare();
else await measureOne(only);

/** Measure one path in this process and print what it took. */
async function measureOne(name: string): Promise<void> {
  const path = await PATHS[name]?.();
  if (path === undefined) throw new Error(`there is no path ${name}`);
  await path.run(WARM_UP);
  const measurements: Measurement[] = [];
  for (let index = 0; index < RUNS; index++) {
    globalThis.gc?.();
    measurements.push(await measure(MESSAGES, () => path.run(MESSAGES)));
  }
  await path.close();
  const [best] = measurements.toSorted((one, other) => one.cpuMs - other.cpuMs);
  console.log(JSON.stringify(best));
}

async function compare(): Promise<void> {
  const results = await runSideBySide(Object.keys(PATHS).map(contender), PROCESSES);
  const runs = `${MESSAGES.toLocaleString("en-US")} messages, best of ${RUNS} runs in each of ${PROCESSES} alternating processes`;
  printTable(`metrics and tracing, ${runs}, median [min–max]`, results);
  console.log();
  const kept = "consume, metrics kept";
  const all: readonly (readonly [what: string, without: string, withIt: string])[] = [
    [`metrics on consume, budget ${BUDGET_NS} ns`, "consume, no metrics kept", kept],
    ["the same, scraped", "consume, no metrics kept", "consume, metrics kept and scraped"],
    [
      `metrics on publish, budget ${BUDGET_NS} ns`,
      "publish, no metrics kept",
      "publish, metrics kept",
    ],
    ["otel without an SDK, consume", kept, "consume, otel without an SDK"],
    ["otel without an SDK, publish", "publish, whole bus", "publish, otel without an SDK"],
    ["otel, SDK samples nothing", kept, "consume, otel with an SDK that samples nothing"],
    ["otel, SDK records everything", kept, "consume, otel with an SDK that records everything"],
  ];
  for (const [what, without, withIt] of all)
    console.log(`${what}: ${cost(resultOf(results, without), resultOf(results, withIt))}`);
}

function cost(without: ContenderResult, withIt: ContenderResult): string {
  const [low, high] = [without.cpuNsPerMessage, withIt.cpuNsPerMessage];
  const ratio = (high.median / low.median).toFixed(2);
  const figures = [high.median - low.median, high.min - low.min].map(Math.round);
  return `${figures[0]} ns of CPU a message (medians, ratio ${ratio}), ${figures[1]} ns (least of all processes)`;
}

function resultOf(results: readonly ContenderResult[], name: string): ContenderResult {
  const found = results.find((result) => result.name === name);
  if (found === undefined) throw new Error(`there is no path ${name}`);
  return found;
}

function contender(name: string): Contender {
  const flags = ["--expose-gc", "--conditions=@bus/source"];
  const main = `${import.meta.dirname}/main.ts`;
  return {
    name,
    async run() {
      const { stdout } = await run(process.execPath, [...flags, main, "metrics", name]);
      return JSON.parse(stdout) as Measurement; // printed by `measureOne`
    },
  };
}
