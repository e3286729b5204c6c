import { mkdir, rm } from "node:fs/promises";

import { PACKS } from "./packed.ts";
import { pnpmCommand } from "./pnpm-command.ts";
import { runProgram } from "./run-program.ts";
import { ROOT } from "./workspace.ts";

const TIMEOUT_MS = 170_000;

await rm(PACKS, { recursive: true, force: true });
await mkdir(PACKS, { recursive: true });
const filters = ["--filter", "./packages/*"];
const result = await runProgram(
  pnpmCommand("--recursive", ...filters, "pack", "--pack-destination", PACKS),
  {
    cwd: ROOT,
    env: process.env,
    timeoutMs: TIMEOUT_MS,
  },
);
console.log(result.output);
process.exitCode = result.status;
