import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, realpath, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { randomUUID } from "node:crypto";
import { cacheFolder, cachedFolder } from "@bus/tools-brokers";

import { AddonError } from "./addon-error.ts";
import { ADDON_FILES, buildAddon } from "./build-addon.ts";
import { thisMachine } from "./machine.ts";
import type { Machine } from "./machine.ts";

const PACKAGE = "@confluentinc/kafka-javascript";

/** What to do on the way. */
export interface EnsureAddonOptions {
  /** Told, in one line each, what is being done. @defaultValue nothing is told */
  readonly say?: (line: string) => void;
  /** Another copy of the package to prepare. @defaultValue the one that this workspace has installed */
  readonly packageFolder?: string;
}

/** A prepared addon. */
export interface PreparedAddon {
  /** `in place`: nothing had to be done; `cache`: copied from the cache; `build`: built now. */
  readonly origin: "in place" | "cache" | "build";
  /** Folder of the package that can be loaded now. */
  readonly packageFolder: string;
}

/**
 * Make `@confluentinc/kafka-javascript` loadable by the Node that runs, without downloading a binary.
 *
 * The addon is built from the sources in the package, once per package version, Node ABI and platform, is kept in the cache of
 * `@bus/tools-brokers`, and is copied to where the package looks for it. Idempotent; several processes may call it at once.
 *
 * @throws AddonError
 */
export async function ensureConfluentAddon(
  options: EnsureAddonOptions = {},
): Promise<PreparedAddon> {
  const machine = thisMachine(options.say ?? (() => undefined));
  const packageFolder = options.packageFolder ?? (await folderOfPackage());
  if ((await loadFailure(packageFolder, machine)) === undefined) {
    machine.say(`${PACKAGE} loads, nothing to do`);
    return { origin: "in place", packageFolder };
  }
  const name = await cacheName(packageFolder);
  const wasCached = existsSync(join(cacheFolder(), name));
  if (wasCached && (await placeFromCache(name, packageFolder, machine)) === undefined)
    return { origin: "cache", packageFolder };
  if (wasCached) {
    machine.say("the addon in the cache does not load here");
    await rm(join(cacheFolder(), name), { recursive: true, force: true });
  }
  const failure = await placeFromCache(name, packageFolder, machine);
  if (failure !== undefined)
    throw new AddonError("BUILD_FAILED", `the addon was built and does not load: ${failure}`);
  return { origin: "build", packageFolder };
}

async function placeFromCache(
  name: string,
  packageFolder: string,
  machine: Machine,
): Promise<string | undefined> {
  const folder = await cachedFolder(
    name,
    async (part) => await buildAddon(packageFolder, part, machine),
  );
  machine.say(`copying ${name} from the cache`);
  for (const file of ADDON_FILES) await replaceFile(join(folder, file), join(packageFolder, file));
  return await loadFailure(packageFolder, machine);
}

/** Another process may be loading the file that is replaced: it gets the old one or the new one, never half of one. */
async function replaceFile(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const part = `${to}.${randomUUID()}`;
  await copyFile(from, part);
  await rename(part, to);
}

/** Why the package cannot be loaded; undefined when it can. Tried in another process: what is loaded once cannot be loaded anew. */
async function loadFailure(packageFolder: string, machine: Machine): Promise<string | undefined> {
  const { status, stderr } = await machine.run([
    process.execPath,
    "-e",
    "require(process.argv[1])",
    packageFolder,
  ]);
  if (status === 0) return undefined;
  return stderr.split("\n").find((line) => line.includes("Error:")) ?? stderr.slice(-300);
}

async function folderOfPackage(): Promise<string> {
  return await realpath(dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`)));
}

async function cacheName(packageFolder: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8")) as {
    version: string;
  };
  return `confluent-addon-${version}-node${process.versions.modules}-${process.platform}-${process.arch}-${libc()}`;
}

function libc(): string {
  if (process.platform !== "linux") return "system";
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}
