import { findFiles } from "./find-files.ts";
import { runProgram } from "./run-program.ts";
import { ROOT } from "./workspace.ts";

const TIMEOUT_MS = 1_080_000;

const scripts = await findFiles(["tools/*/prepare.ts"], ROOT);
for (const script of scripts) {
  const result = await runProgram(["node", "--conditions=@bus/source", script], {
    cwd: ROOT,
    env: process.env,
    timeoutMs: TIMEOUT_MS,
  });
  console.log(`${script}\n${result.output}`);
  if (result.status !== 0) process.exitCode = 1;
}
