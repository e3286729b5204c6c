import { rm } from "node:fs/promises";
import { join } from "node:path";

import { pnpmCommand } from "./pnpm-command.ts";
import { runProgram } from "./run-program.ts";
import { ROOT, publicPackages } from "./workspace.ts";

const TIMEOUT_MS = 170_000;
const QUIET = ["--output-logs=errors-only", "--continue=dependencies-successful"];

// tsc leaves behind what it wrote for sources that are gone; turbo restores what has not changed.
for (const { folder } of await publicPackages()) {
  await rm(join(folder, "dist"), { recursive: true, force: true });
}

const result = await runProgram(pnpmCommand("exec", "turbo", "run", "build", ...QUIET), {
  cwd: ROOT,
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
  timeoutMs: TIMEOUT_MS,
});
console.log(result.output);
process.exitCode = result.status;
