import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";

import { chooseSteps, runSteps } from "./run-steps.ts";
import { STEPS } from "./steps.ts";
import { summaryLine } from "./step.ts";
import { ROOT } from "./workspace.ts";

const { values } = parseArgs({ options: { only: { type: "string" } } });
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => stop.abort());

const startedAtMs = performance.now();
const counts = await runSteps(chooseSteps(STEPS, values.only), {
  root: ROOT,
  env: {
    ...process.env,
    PATH: `${join(ROOT, "node_modules", ".bin")}${delimiter}${process.env["PATH"] ?? ""}`,
    TURBO_TELEMETRY_DISABLED: "1",
    NO_COLOR: "1",
    CI: "true",
  },
  write: (text) => process.stdout.write(text),
  signal: stop.signal,
});

const nothingRan = counts.passed + counts.failed === 0;
process.exitCode = counts.failed > 0 || nothingRan || stop.signal.aborted ? 1 : 0;
console.log(`\n${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`);
console.log(summaryLine(counts));
