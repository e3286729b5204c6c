#!/usr/bin/env node
import { runCli } from "./run-cli.ts";

const stop = new AbortController();
// The first signal ends the run after what it is publishing; the second one ends the process.
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => stop.abort(new Error(`${name} received`)));

process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  progress: process.stderr.isTTY
    ? (text) => void process.stderr.write(`\r\u001b[2K${text}`)
    : undefined,
  signal: stop.signal,
});
