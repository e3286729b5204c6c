import { readFile, readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 2;

/**
 * Resolve once every thread of a process has stopped after SIGSTOP, or the process is gone.
 *
 * The signal only asks: threads that are busy run on for a moment. Systems without `/proc` do not tell, so nothing is waited for.
 */
export async function stopped(pid: number): Promise<void> {
  while (!(await hasStopped(pid))) await sleep(POLL_MS);
}

async function hasStopped(pid: number): Promise<boolean> {
  try {
    const threads = await readdir(`/proc/${pid}/task`);
    const states = await Promise.all(
      threads.map(async (thread) =>
        threadState(await readFile(`/proc/${pid}/task/${thread}/stat`, "utf8")),
      ),
    );
    return states.every((state) => "TtZX".includes(state));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return !(await exists(`/proc/${pid}`)); // a thread may have ended between the two reads
  }
}

/** The state letter of a line of `/proc`: it follows the name, which stands in parentheses and may contain some itself. */
export function threadState(stat: string): string {
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
}

async function exists(path: string): Promise<boolean> {
  return await readdir(path).then(
    () => true,
    () => false,
  );
}
