import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { runCommand } from "./cli/run-command.ts";
import type { CommandHost } from "./cli/run-command.ts";

/** What a process in the background tells the one that the user waits for. */
type Report = { readonly line: string; readonly failed: boolean } | { readonly ready: true };

const interrupted = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => resolve());
});

const inForeground: CommandHost = {
  say: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  ready: () => void process.stdout.write("Ctrl-C stops it\n"),
  interrupted,
  runInBackground,
};

const inBackground: CommandHost = {
  ...inForeground,
  say: (line) => report({ line, failed: false }),
  complain: (line) => report({ line, failed: true }),
  ready: () => {
    report({ ready: true });
    process.disconnect();
  },
};

process.exitCode = await runCommand(
  process.argv.slice(2),
  process.send === undefined ? inForeground : inBackground,
);

function report(message: Report): void {
  if (process.connected) process.send?.(message);
}

async function runInBackground(args: readonly string[]): Promise<0 | 1> {
  const child = fork(fileURLToPath(import.meta.url), args, { detached: true, stdio: "ignore" });
  let isReady = false;
  child.on("message", (message: Report) => {
    if ("ready" in message) isReady = true;
    else (message.failed ? process.stderr : process.stdout).write(`${message.line}\n`);
  });
  // The end of the channel comes with readiness and, at the latest, with the end of the child.
  await once(child, "disconnect");
  child.unref();
  if (isReady) process.stdout.write("runs in the background; pnpm brokers stop ends it\n");
  return isReady ? 0 : 1;
}
