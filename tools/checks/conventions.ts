import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";

import { findFiles } from "./find-files.ts";
import { packageProblems } from "./package-conventions.ts";
import { reportProblems } from "./report-problems.ts";
import { sourceProblems } from "./source-conventions.ts";
import { ROOT, publicPackages } from "./workspace.ts";
import type { WorkspacePackage } from "./workspace.ts";

const MAX_README_LINES = 120;

const packages = await publicPackages();
const licence = await readFile(join(ROOT, "LICENSE"), "utf8");
const changesets = await readAll(await findFiles([".changeset/*.md"], ROOT));
const problems: string[] = [];
for (const each of packages) {
  const file = relative(ROOT, each.folder);
  const found = packageProblems(each.manifest, each.folderName);
  problems.push(...found.map((problem) => `${file}/package.json: ${problem}`));
  problems.push(...(await documentProblems(each)), ...(await allSourceProblems(each)));
  problems.push(...releaseProblems(each));
}
reportProblems(problems, `${packages.length} packages follow the conventions`);

async function documentProblems({ folder }: WorkspacePackage): Promise<readonly string[]> {
  const [readme, ownLicence] = await Promise.all(
    ["README.md", "LICENSE"].map((name) =>
      readFile(join(folder, name), "utf8").catch(() => undefined),
    ),
  );
  const name = relative(ROOT, folder);
  const lines = readme?.trimEnd().split("\n").length ?? 0;
  return [
    ...(readme === undefined ? [`${name}/README.md is missing`] : []),
    ...(lines > MAX_README_LINES
      ? [`${name}/README.md has ${lines} lines, ${MAX_README_LINES} are allowed`]
      : []),
    ...(ownLicence === licence ? [] : [`${name}/LICENSE must be a copy of the workspace's`]),
  ];
}

async function allSourceProblems({
  folder,
  entries,
}: WorkspacePackage): Promise<readonly string[]> {
  const named = new Set(entries.map((entry) => entry.source.replace("./src/", "")));
  const files = await findFiles(["**/*.ts"], join(folder, "src"));
  const missing = entries.filter((entry) => !existsSync(join(folder, entry.source)));
  const found = await Promise.all(
    files.map(async (file) => {
      const path = join(folder, "src", file);
      const text = await readFile(path, "utf8");
      return sourceProblems(file, text, named).map(
        (problem) => `${relative(ROOT, path)}: ${problem}`,
      );
    }),
  );
  return [...missing.map((entry) => `${entry.specifier} has no ${entry.source}`), ...found.flat()];
}

/** A package that was never released has a changeset that releases it. */
function releaseProblems({ folder, manifest }: WorkspacePackage): readonly string[] {
  const isNamed = changesets.some((text) => text.includes(`"${manifest.name}":`));
  if (isNamed || existsSync(join(folder, "CHANGELOG.md"))) return [];
  return [`${manifest.name} has no release and no changeset: run pnpm changeset`];
}

async function readAll(files: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(files.map((file) => readFile(join(ROOT, file), "utf8")));
}
