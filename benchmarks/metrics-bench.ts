import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { PATHS } from "./metrics-paths.ts";
import { measure, printTable, runSideBySide } from "./side-by-side.ts";
import type { Contender, Measurement } from "./side-by-side.ts";

/** What metrics and tracing cost a message: the same path with and without them, in processes that take turns. */
const MESSAGES = 1_000_000;
const WARM_UP = 300_000;
const ROUNDS = 7;
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
  globalThis.gc?.();
  const measurement = await measure(MESSAGES, () => path.run(MESSAGES));
  await path.close();
  console.log(JSON.stringify(measurement));
}

async function compare(): Promise<void> {
  const results = await runSideBySide(Object.keys(PATHS).map(contender), ROUNDS);
  const runs = `${MESSAGES.toLocaleString("en-US")} messages, ${ROUNDS} alternating processes each`;
  printTable(`metrics and tracing, ${runs}, median [min–max]`, results);
  const nsOf = (name: string): { readonly median: number; readonly min: number } => {
    const found = results.find((result) => result.name === name)?.nsPerMessage;
    return found ?? { median: Number.NaN, min: Number.NaN };
  };
  const cost = (what: string, [without, withIt]: readonly [string, string]): void => {
    const [low, high] = [nsOf(without), nsOf(withIt)];
    const median = Math.round(high.median - low.median);
    const best = Math.round(high.min - low.min);
    const ratio = (high.median / low.median).toFixed(2);
    console.log(
      `${what}: ${median} ns a message (medians), ${best} ns (best runs), ratio ${ratio}`,
    );
  };
  console.log();
  const kept = "consume, metrics kept";
  cost(`metrics on consume, budget ${BUDGET_NS} ns`, ["consume, no metrics kept", kept]);
  cost("the same, scraped every second", [
    "consume, no metrics kept",
    "consume, metrics kept and scraped",
  ]);
  cost(`metrics on publish, budget ${BUDGET_NS} ns`, [
    "publish, no metrics kept",
    "publish, metrics kept",
  ]);
  cost("otel without an SDK, consume", [kept, "consume, otel without an SDK"]);
  cost("otel without an SDK, publish", ["publish, whole bus", "publish, otel without an SDK"]);
  cost("otel, SDK samples nothing", [kept, "consume, otel with an SDK that samples nothing"]);
  cost("otel, SDK records everything", [kept, "consume, otel with an SDK that records everything"]);
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
