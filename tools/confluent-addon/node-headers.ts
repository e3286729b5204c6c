import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { AddonError } from "./addon-error.ts";

/**
 * Find the C++ headers that belong to a Node: beside its `bin`, as in every distribution, or in the package `node-<platform>-<arch>`
 * inside the npm package `node`.
 *
 * @param execPath - Path of the `node` program.
 * @param version - What it calls itself, `v24.21.0`.
 * @returns The folder that contains `include/node`.
 * @throws AddonError `HEADERS_MISSING`; headers of another version are never taken, not even of one that is close.
 */
export async function headersFolder(execPath: string, version: string): Promise<string> {
  const root = dirname(dirname(execPath));
  const candidates = [root, join(root, "node_modules", `node-${process.platform}-${process.arch}`)];
  for (const folder of candidates) {
    const file = join(folder, "include", "node", "node_version.h");
    if (existsSync(file) && headerVersion(await readFile(file, "utf8")) === version) return folder;
  }
  throw new AddonError(
    "HEADERS_MISSING",
    `no headers of node ${version} in ${candidates.join(" or ")}; run this with a node that was installed with its headers`,
  );
}

/** The version that `node_version.h` defines, as Node itself spells it. */
export function headerVersion(text: string): string {
  const part = (name: string): string =>
    new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1] ?? "?";
  return `v${part("MAJOR")}.${part("MINOR")}.${part("PATCH")}`;
}
