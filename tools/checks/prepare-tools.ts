import { glob } from "node:fs/promises";

import { runProgram } from "./run-program.ts";
import { ROOT } from "./workspace.ts";

const TIMEOUT_MS = 280_000;

const scripts = await Array.fromAsync(glob("tools/*/prepare.ts", { cwd: ROOT }));
for (const script of scripts.toSorted()) {
  const result = await runProgram(["node", "--conditions=@bus/source", script], {
    cwd: ROOT,
    env: process.env,
    timeoutMs: TIMEOUT_MS,
  });
  console.log(`${script}\n${result.output}`);
  if (result.status !== 0) process.exitCode = 1;
}
