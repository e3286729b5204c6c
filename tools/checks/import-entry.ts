import { existsSync } from "node:fs";
import { join } from "node:path";

import type { OutsideProject } from "./outside-project.ts";
import type { Entry, WorkspacePackage } from "./workspace.ts";

/** What happened when a project tried one way into a package. */
export interface ImportResult {
  /** Optional clients that the entry asked for, in Node's own words, before it was loaded. */
  readonly clients: readonly string[];
  /** Why it cannot be loaded at all. */
  readonly problem?: string;
}

/**
 * Import and require one entry of an installed package. Each optional client that it misses is then made available, and the
 * entry tried again; the root of a package has to do without any.
 */
export async function importEntry(
  project: OutsideProject,
  owner: WorkspacePackage,
  entry: Entry,
): Promise<ImportResult> {
  const clients: string[] = [];
  for (;;) {
    const failure = await load(project, entry.specifier);
    if (failure === undefined) return { clients };
    const missing = /Cannot find package '([^']+)'/.exec(failure)?.[1] ?? "";
    const isOptional = owner.manifest.peerDependenciesMeta?.[missing]?.optional === true;
    if (!isOptional || entry.name === "index" || clients.includes(missing)) {
      return { clients, problem: `${entry.specifier} cannot be imported\n${failure}` };
    }
    const target = join(owner.folder, "node_modules", missing);
    if (!existsSync(target)) {
      const hint = `put it into devDependencies of ${owner.manifest.name}`;
      return { clients, problem: `${missing} is not here to try ${entry.specifier} with: ${hint}` };
    }
    await project.link(missing, target);
    clients.push(missing);
  }
}

/** @returns What Node wrote when it failed. */
async function load(project: OutsideProject, specifier: string): Promise<string | undefined> {
  const programs = [
    ["--input-type=module", `await import("${specifier}")`],
    ["--input-type=commonjs", `require("${specifier}")`],
  ] as const;
  for (const [type, program] of programs) {
    const result = await project.run([process.execPath, type, "--eval", program]);
    if (result.status !== 0) return result.output;
  }
  return undefined;
}
