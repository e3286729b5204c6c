import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";

import { stopped } from "./process-state.ts";

/** What to run, and what to clean up when this process dies before the child does. */
export interface GuardedCommand {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  /** Receives stdout and stderr, appended. */
  readonly logFile: string;
  /** Removed recursively, by the guard, when this process dies without closing the child. */
  readonly removeOnOrphan: string;
  /** The program is only the client of a container, which the guard has to remove as well. */
  readonly container?: { readonly engine: string; readonly name: string };
}

/** A running child that cannot outlive this process. */
export interface GuardedProcess {
  /** Process id of the program itself, not of its guard; undefined for a container. */
  readonly pid: number | undefined;
  /** Resolves with the exit status once the program has ended (128 + signal number when a signal ended it). */
  readonly exited: Promise<number>;
  /** Send a signal to the program itself; does nothing when it has ended. SIGSTOP: resolves when all its threads stand still. */
  signal(signal: NodeJS.Signals): Promise<void>;
}

/**
 * The guard is a shell that holds the reading end of a pipe whose only writing end is in this process. The kernel closes that end
 * however this process dies, SIGKILL included; the guard then kills the program and removes its data. It stays the program's
 * parent, so that the program is reaped at once and its process id cannot be taken by a stranger while the guard may still use it.
 */
const GUARD_SCRIPT = `
folder=$1; engine=$2; container=$3; shift 3
exec 4<&0
"$@" </dev/null 3>&- 4<&- &
child=$!
echo "$child" >&3
exec 3>&-
(
  read -r never <&4
  trap "" TERM
  [ -z "$container" ] || "$engine" rm -f "$container"
  kill -KILL "$child"
  sleep 0.2
  rm -rf "$folder"
) >/dev/null 2>&1 &
watcher=$!
exec 4<&-
wait "$child"
status=$?
kill -TERM "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
exit "$status"
`;

const KILLED = 137;

/**
 * Start a program under a guard that ends it when this process ends, in whatever way.
 *
 * @returns Once the program's process id is known.
 * @throws Error when the shell or the program cannot be started.
 */
export async function startGuarded(options: GuardedCommand): Promise<GuardedProcess> {
  const log = openSync(options.logFile, "a");
  const { engine = "", name = "" } = options.container ?? {};
  const guard = spawn(
    "/bin/sh",
    ["-c", GUARD_SCRIPT, "guard", options.removeOnOrphan, engine, name, ...options.command],
    {
      stdio: ["pipe", log, log, "pipe"],
      detached: true, // Ctrl-C in a terminal goes to this process alone, which then decides
    },
  );
  closeSync(log);
  const exited = exitStatus(guard);
  const pid = await readProcessId(guard);
  let ended = false;
  void exited.then(() => (ended = true));
  return {
    pid,
    exited,
    signal: async (signal) => {
      if (ended) return;
      sendSignal(pid, signal);
      if (signal === "SIGSTOP") await stopped(pid);
    },
  };
}

async function exitStatus(guard: ChildProcess): Promise<number> {
  const lifeline = guard.stdin as Writable;
  lifeline.on("error", () => {
    /* the guard has ended; its exit is reported below */
  });
  const [code] = (await once(guard, "exit")) as [number | null];
  lifeline.destroy();
  return code ?? KILLED;
}

async function readProcessId(guard: ChildProcess): Promise<number> {
  const channel = guard.stdio[3] as Readable;
  channel.setEncoding("utf8");
  let text = "";
  for await (const chunk of channel) text += chunk as string;
  const pid = Number.parseInt(text, 10);
  if (!Number.isInteger(pid))
    throw new Error(
      `the guard of ${guard.spawnargs.at(-1) ?? "a program"} did not report a process id`,
    );
  return pid;
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
