import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const LOCK_POLL_MS = 100;

/** The folder outside every work tree where downloads are kept: `$XDG_CACHE_HOME/bus-brokers`, else `~/.cache/bus-brokers`. */
export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "bus-brokers");
}

/**
 * Return a folder of the cache, filling it first when it is not there.
 *
 * `fill` works in a temporary folder that is renamed into place when it has succeeded, so a folder in the cache is always complete.
 * A lock makes a second process wait instead of downloading the same thing; the rename keeps the cache whole even without it.
 *
 * @param name - Folder name inside the cache, with the version in it.
 * @param fill - Puts the content into the folder it is given.
 * @returns Absolute path of the complete folder.
 */
export async function cachedFolder(
  name: string,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  await mkdir(cacheFolder(), { recursive: true });
  const unlock = await lock(`${folder}.lock`);
  try {
    if (!existsSync(folder)) await fillAndRename(folder, fill);
  } finally {
    await unlock();
  }
  return folder;
}

async function fillAndRename(
  folder: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const temporary = `${folder}.${randomUUID()}.part`;
  await mkdir(temporary);
  try {
    await fill(temporary);
    await rename(temporary, folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

async function lock(file: string): Promise<() => Promise<void>> {
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, String(process.pid));
  try {
    while (!(await linked(own, file))) {
      if (await isAbandoned(file)) await rm(file, { force: true });
      else await sleep(LOCK_POLL_MS);
    }
  } finally {
    await rm(own, { force: true });
  }
  return async () => await rm(file, { force: true });
}

/** Linking a file that already holds the process id: a lock is never seen without its owner. */
async function linked(own: string, file: string): Promise<boolean> {
  try {
    await link(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  try {
    process.kill(Number.parseInt(await readFile(file, "utf8"), 10), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
