import { spawn } from "node:child_process";

/** How a program that was run to its end has ended. */
export interface ProgramResult {
  /** Exit status; 127 when there is no such program, 137 when it was killed or ran out of time. */
  readonly status: number;
  /** What it wrote to stdout. */
  readonly stdout: string;
  /** What it wrote to stderr. */
  readonly stderr: string;
}

/** Limits of one run. */
export interface ProgramLimits {
  /** Working directory. */
  readonly cwd?: string;
  /** Extra variables on top of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Killed after this time, in milliseconds. */
  readonly timeoutMs?: number;
}

/**
 * Run a program to its end and keep what it wrote.
 *
 * Never throws: a program that is missing or fails is a result, because the callers ask "does this exist" as often as "do this".
 */
export async function runProgram(
  command: readonly [string, ...string[]],
  limits: ProgramLimits = {},
): Promise<ProgramResult> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...limits.env },
    ...(limits.cwd === undefined ? {} : { cwd: limits.cwd }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const ended = new Promise<ProgramResult>((resolve) => {
    child.once("error", (error) => resolve({ status: 127, stdout, stderr: error.message }));
    child.once("close", (code) => resolve({ status: code ?? 137, stdout, stderr }));
  });
  // Not the `timeout` of spawn: its timer keeps running, and this process with it, after a program that does not exist.
  const timer =
    limits.timeoutMs === undefined
      ? undefined
      : setTimeout(() => child.kill("SIGKILL"), limits.timeoutMs);
  try {
    return await ended;
  } finally {
    clearTimeout(timer);
  }
}
