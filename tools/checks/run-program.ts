import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";

const KILL_AFTER_MS = 5_000;

/** How a program is to be run. */
export interface RunOptions {
  /** Working directory. */
  readonly cwd: string;
  /** The whole environment of the program. */
  readonly env: NodeJS.ProcessEnv;
  /** The program and everything it started are stopped after this time. */
  readonly timeoutMs: number;
  /** Stops the program and everything it started. */
  readonly signal?: AbortSignal;
}

/** How a program has ended. */
export interface RunResult {
  /** Exit status; 127 when it could not be started, 124 when it ran out of time, 137 when a signal ended it. */
  readonly status: number;
  /** stdout and stderr in the order they came. */
  readonly output: string;
  /** stdout alone. */
  readonly stdout: string;
}

/** Run a program to its end in a process group of its own, so that a time-out leaves nothing behind. Never rejects. */
export async function runProgram(
  command: readonly [string, ...string[]],
  options: RunOptions,
): Promise<RunResult> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const written = collectOutput(child);
  const stopTimer = stopAfter(child, options);
  return await new Promise((resolve) => {
    child.once("error", (error) => {
      stopTimer();
      resolve({ status: 127, stdout: "", output: `${program}: ${error.message}\n` });
    });
    child.once("close", (code) => {
      const timedOut = stopTimer();
      const note = timedOut ? `\nstopped after ${options.timeoutMs / 1000} s\n` : "";
      const status = timedOut ? 124 : (code ?? 137);
      resolve({ status, stdout: written.stdout, output: written.output + note });
    });
  });
}

/** The exact text of a command, for people. */
export function commandLine(command: readonly string[]): string {
  return command.map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part}'`)).join(" ");
}

function collectOutput(child: ChildProcess): { stdout: string; output: string } {
  const written = { stdout: "", output: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    written.stdout += text;
    written.output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    written.output += text;
  });
  return written;
}

/** @returns A function that ends the watch and says whether the time ran out. */
function stopAfter(child: ChildProcess, options: RunOptions): () => boolean {
  let timedOut = false;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    signalGroup(child, "SIGTERM");
    killTimer = setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS);
  };
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, options.timeoutMs);
  options.signal?.addEventListener("abort", stop, { once: true });
  return () => {
    clearTimeout(timer);
    clearTimeout(killTimer);
    options.signal?.removeEventListener("abort", stop);
    return timedOut;
  };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group has ended by itself.
  }
}
