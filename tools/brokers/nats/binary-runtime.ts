import { copyFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { BrokersError } from "../brokers-error.ts";
import { cachedFolder } from "../download-cache.ts";
import { startGuarded } from "../process/guarded-process.ts";
import { runProgram } from "../process/run-program.ts";
import type { Lookup } from "../provider.ts";
import type { NatsVersion } from "./nats-cluster.ts";
import type { NatsRuntime } from "./nats-runtime.ts";

const PROGRAM = "nats-server";
const BUILD_TIMEOUT_MS = 300_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;

/**
 * Run the `nats-server` of the PATH when it has this version, else build it with Go, else unpack Debian's; the latter two stay in the
 * cache.
 */
export async function exactBinary(version: NatsVersion): Promise<Lookup<NatsRuntime>> {
  if ((await versionOf(PROGRAM)) === version) return { found: runtime(PROGRAM, version) };
  try {
    const folder = await cachedFolder(
      `${PROGRAM}-${version}`,
      async (part) => await fill(part, version),
    );
    return { found: runtime(join(folder, PROGRAM), version) };
  } catch (error) {
    if (!BrokersError.is(error, "UNAVAILABLE")) throw error;
    return { missing: `${PROGRAM} ${version} on the PATH; or ${error.message}` };
  }
}

/** Run whatever `nats-server` the PATH or Debian has, from 2.9 on. */
export async function anyBinary(): Promise<Lookup<NatsRuntime>> {
  const onPath = await versionOf(PROGRAM);
  if (onPath !== undefined && isSupported(onPath)) return { found: runtime(PROGRAM, onPath) };
  try {
    const folder = await cachedFolder(`${PROGRAM}-debian`, fillFromDebian);
    const program = join(folder, PROGRAM);
    const version = await versionOf(program);
    if (version !== undefined && isSupported(version)) return { found: runtime(program, version) };
    return { missing: `${PROGRAM} 2.9 or newer, Debian here has ${version ?? "none"}` };
  } catch (error) {
    if (!BrokersError.is(error, "UNAVAILABLE")) throw error;
    return { missing: error.message };
  }
}

/** Version out of what `nats-server --version` prints, `nats-server: v2.15.2`; undefined when it is something else. */
export function parseVersion(text: string): string | undefined {
  return /\bv?(\d+\.\d+\.\d+)/.exec(text)?.[1];
}

function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 9);
}

function runtime(program: string, version: string): NatsRuntime {
  return {
    provider: "local",
    version,
    launch: async ({ clusterFolder, configFile, logFile }) =>
      await startGuarded({
        command: [program, "-c", configFile],
        logFile,
        removeOnOrphan: clusterFolder,
      }),
  };
}

async function versionOf(program: string): Promise<string | undefined> {
  const { status, stdout } = await runProgram([program, "--version"]);
  return status === 0 ? parseVersion(stdout) : undefined;
}

async function fill(folder: string, version: NatsVersion): Promise<void> {
  const go = await fillWithGo(folder, version);
  if (go === "done") return;
  await fillFromDebian(folder);
  const found = await versionOf(join(folder, PROGRAM));
  if (found !== version)
    throw new BrokersError(
      "UNAVAILABLE",
      `${go}, since Debian here has ${PROGRAM} ${found ?? "in no readable version"}`,
    );
}

async function fillWithGo(folder: string, version: NatsVersion): Promise<string> {
  if ((await runProgram(["go", "version"])).status !== 0) return "Go (Debian: golang-go)";
  const source = `github.com/nats-io/nats-server/v2@v${version}`;
  const built = await runProgram(["go", "install", source], {
    env: { GOBIN: folder },
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  return built.status === 0
    ? "done"
    : `a Go that can build ${source} (${built.stderr.trim().slice(-200)})`;
}

/** Download the package and take the program out of it; neither needs root, and nothing is installed. */
async function fillFromDebian(folder: string): Promise<void> {
  const download = await runProgram(["apt-get", "download", PROGRAM], {
    cwd: folder,
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
  });
  const archive = (await readdir(folder)).find((name) => name.endsWith(".deb"));
  if (download.status !== 0 || archive === undefined) {
    throw new BrokersError(
      "UNAVAILABLE",
      `Go, or Debian with a package ${PROGRAM} (apt-get update first)`,
    );
  }
  const unpacked = join(folder, "unpacked");
  const unpack = await runProgram(["dpkg-deb", "-x", join(folder, archive), unpacked]);
  if (unpack.status !== 0)
    throw new BrokersError(
      "UNAVAILABLE",
      `a dpkg-deb that can unpack ${archive} (${unpack.stderr.trim()})`,
    );
  await copyFile(join(unpacked, "usr", "sbin", PROGRAM), join(folder, PROGRAM));
  await rm(unpacked, { recursive: true });
  await rm(join(folder, archive));
}
