import { readFile, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

import { findFiles } from "./find-files.ts";
import { markdownAnchors, markdownLinks } from "./markdown.ts";

/** What a walk over the Markdown files of a folder has found. */
export interface LinkReport {
  /** Relative links that were followed. */
  readonly checked: number;
  /** One line per link that leads nowhere. */
  readonly problems: readonly string[];
}

/** Follow every relative link of every Markdown file under a folder, to files, folders and headings. */
export async function findBrokenLinks(root: string): Promise<LinkReport> {
  const files = await findFiles(["**/*.md", ".changeset/*.md"], root);
  const problems: string[] = [];
  let checked = 0;
  for (const file of files) {
    const text = await readFile(join(root, file), "utf8");
    const links = markdownLinks(text).filter(({ target }) => !/^[a-z][a-z+.-]*:/i.test(target));
    checked += links.length;
    for (const { line, target } of links) {
      const problem = await problemOf(join(root, file), target, root);
      if (problem !== undefined) problems.push(`${file}:${line}: ${target} ${problem}`);
    }
  }
  return { checked, problems };
}

async function problemOf(file: string, target: string, root: string): Promise<string | undefined> {
  const [path = "", anchor] = target.split("#");
  const destination = path === "" ? file : join(dirname(file), decodeURIComponent(path));
  if (path.startsWith("/")) return "is absolute; write it relative to this file";
  if (relative(root, destination).startsWith("..")) return "leaves the repository";
  if (!(await exists(destination))) return "does not exist";
  if (anchor === undefined || !destination.endsWith(".md")) return undefined;
  const anchors = markdownAnchors(await readFile(destination, "utf8"));
  return anchors.has(anchor) ? undefined : `has no heading #${anchor}`;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
