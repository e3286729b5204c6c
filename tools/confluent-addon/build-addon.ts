import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

import { AddonError } from "./addon-error.ts";
import { ensureBuildTools } from "./build-tools.ts";
import type { Machine } from "./machine.ts";
import { headersFolder } from "./node-headers.ts";

const BUILD_TIMEOUT_MS = 1_800_000;

/** The files that the addon consists of, relative to the folder of its package. It finds the libraries by its own place (rpath). */
export const ADDON_FILES: readonly string[] = [
  "build/deps/librdkafka.so.1",
  "build/deps/librdkafka++.so.1",
  "build/Release/confluent-kafka-javascript.node",
];

/**
 * Build the addon from the sources that its npm package carries, for the Node that runs.
 *
 * @param source - Folder of the package; it is copied first and stays as it is.
 * @param target - Existing folder that gets `ADDON_FILES`.
 * @throws AddonError
 */
export async function buildAddon(source: string, target: string, machine: Machine): Promise<void> {
  await ensureBuildTools(machine);
  const headers = await headersFolder(process.execPath, process.version);
  const work = await mkdtemp(join(tmpdir(), "bus-addon-"));
  await copySources(source, work);
  // Copied, because an installer that runs at the same time may move the folder that they lie in.
  await cp(join(headers, "include"), join(work, "node", "include"), { recursive: true });
  machine.say(
    `building for node ${process.version} on ${availableParallelism()} processors; this takes minutes`,
  );
  const built = await machine.run(
    [process.execPath, nodeGyp(), "rebuild", `--nodedir=${join(work, "node")}`],
    {
      cwd: join(work, "package"),
      env: buildEnvironment(join(work, "node")),
      timeoutMs: BUILD_TIMEOUT_MS,
    },
  );
  if (built.status !== 0) throw await buildFailure(work, built.stdout + built.stderr);
  for (const file of ADDON_FILES) {
    await mkdir(dirname(join(target, file)), { recursive: true });
    await cp(join(work, "package", file), join(target, file), { dereference: true });
    await machine.run(["strip", "--strip-debug", join(target, file)]); // 15 MB of symbols; where there is no strip they stay
  }
  await rm(work, { recursive: true });
}

async function copySources(source: string, work: string): Promise<void> {
  const copy = join(work, "package");
  await cp(source, copy, {
    recursive: true,
    filter: (from) => from !== join(source, "build") && from !== join(source, "node_modules"),
  });
  await mkdir(join(copy, "node_modules"));
  const nan = dirname(createRequire(join(source, "package.json")).resolve("nan/package.json"));
  await cp(await realpath(nan), join(copy, "node_modules", "nan"), { recursive: true });
  // The package starts one compiler per file at once; on a small machine that is more memory than there is.
  const gyp = join(copy, "deps", "librdkafka.gyp");
  const text = await readFile(gyp, "utf8");
  await writeFile(gyp, text.replace('"make", "-j",', `"make", "-j${availableParallelism()}",`));
}

function nodeGyp(): string {
  return createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
}

/** The environment of the build; an empty value is as good as an unset variable to all who read them. */
function buildEnvironment(nodeFolder: string): Record<string, string> {
  return {
    // Steps of the build call `node` by name.
    PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
    CKJS_LINKING: "dynamic",
    // An inherited setting may point at the headers of another Node.
    npm_config_nodedir: nodeFolder,
    JOBS: "",
    npm_config_jobs: "",
  };
}

async function buildFailure(work: string, log: string): Promise<AddonError> {
  const file = join(work, "build.log");
  await writeFile(file, log);
  await rm(join(work, "package"), { recursive: true });
  await rm(join(work, "node"), { recursive: true });
  const telling = log.split("\n").filter((line) => /error|failed/i.test(line));
  return new AddonError(
    "BUILD_FAILED",
    `the build failed (${telling.slice(0, 3).join(" | ").slice(0, 500)}); its log is ${file}`,
  );
}
