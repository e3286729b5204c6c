import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** How the tool ended. */
export interface CliResult {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** Run `bus-dlq` in a process of its own. */
export async function runCli(...args: readonly string[]): Promise<CliResult> {
  const child = spawn(process.execPath, ["--conditions=@bus/source", MAIN, ...args]);
  let out = "";
  let error = "";
  child.stdout.on("data", (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (error += chunk.toString()));
  await once(child, "close");
  return { code: child.exitCode, out, error };
}
