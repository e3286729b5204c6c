import { join } from "node:path";

import { packedPackages } from "./packed.ts";
import { runProgram } from "./run-program.ts";
import { ROOT } from "./workspace.ts";

const TIMEOUT_MS = 60_000;

for (const { tarball } of await packedPackages()) {
  const attw = join(ROOT, "node_modules", ".bin", "attw");
  const result = await runProgram([attw, tarball, "--profile", "esm-only", "--no-emoji"], {
    cwd: ROOT,
    env: process.env,
    timeoutMs: TIMEOUT_MS,
  });
  console.log(result.output);
  if (result.status !== 0) process.exitCode = 1;
}
