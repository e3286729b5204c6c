import { glob } from "node:fs/promises";

const NEVER = ["**/node_modules/**", "**/dist/**", "**/temp/**"];

/** The files of a folder that globs match, in a stable order; installed, built and temporary files are left out. */
export async function findFiles(
  globs: readonly string[],
  folder: string,
  exclude: readonly string[] = NEVER,
): Promise<readonly string[]> {
  const found = new Set<string>();
  for await (const file of glob([...globs], { cwd: folder, exclude: [...exclude] }))
    found.add(file);
  return [...found].toSorted();
}
