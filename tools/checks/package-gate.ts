import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { findFiles } from "./find-files.ts";
import { importEntry } from "./import-entry.ts";
import { installedPackages, outsideProject, userTsconfig } from "./outside-project.ts";
import type { OutsideProject } from "./outside-project.ts";
import { packedPackages } from "./packed.ts";
import type { PackedPackage } from "./packed.ts";
import { readmeProgram } from "./readme-program.ts";
import { reportProblems } from "./report-problems.ts";
import { ROOT } from "./workspace.ts";

const MINIMAL = ["@bus/core", "@bus/memory"];
/** Everything that the smallest installation may bring along; the last one is types only. */
const MINIMAL_FOOTPRINT = [...MINIMAL, "@standard-schema/spec"];
const TSC = join(ROOT, "node_modules", ".bin", "tsc");

const packages = await packedPackages();
const found = [...(await checkFirstProgram()), ...(await checkEntries())];
reportProblems(
  found,
  `${packages.length} packed packages install, run and type-check outside of the workspace`,
);

/** Core and one transport, in an empty project, run what the README shows. */
async function checkFirstProgram(): Promise<readonly string[]> {
  const { code, prints } = readmeProgram(await readFile(join(ROOT, "README.md"), "utf8"));
  await using project = await outsideProject();
  const tarballs = packages
    .filter(({ manifest }) => MINIMAL.includes(manifest.name))
    .map(({ tarball }) => tarball);
  const installed = await project.install(tarballs);
  if (installed.status !== 0)
    return [`npm could not install ${MINIMAL.join(" and ")}\n${installed.output}`];
  const surplus = (await installedPackages(project.folder)).filter(
    (name) => !MINIMAL_FOOTPRINT.includes(name),
  );
  await project.write("main.ts", code);
  const result = await project.run([process.execPath, "main.ts"]);
  const wrong = result.status !== 0 || result.stdout !== prints;
  return [
    ...surplus.map((name) => `${MINIMAL.join(" and ")} bring ${name} along`),
    ...(wrong
      ? [
          `the README's program should print\n${prints}but ended with ${result.status}\n${result.output}`,
        ]
      : []),
    ...(await checkTypes(project, "the README's program")),
  ];
}

/** Every way into every package can be imported and required; what lacks an optional client says so in Node's words. */
async function checkEntries(): Promise<readonly string[]> {
  await using project = await outsideProject();
  const installed = await project.install(packages.map(({ tarball }) => tarball));
  if (installed.status !== 0) return [`npm could not install all packages\n${installed.output}`];
  const problems: string[] = [];
  for (const owner of packages) problems.push(...(await checkPackage(project, owner)));
  const imports = packages.flatMap(({ entries }) =>
    entries.map(({ specifier }) => `import "${specifier}";\n`),
  );
  await project.write("all.ts", imports.join(""));
  problems.push(...(await checkTypes(project, "a program that imports every entry")));
  return [...problems, ...(await checkContents(project))];
}

async function checkPackage(
  project: OutsideProject,
  owner: PackedPackage,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const clients: string[] = [];
  for (const entry of owner.entries) {
    const result = await importEntry(project, owner, entry);
    clients.push(...result.clients);
    if (result.problem !== undefined) problems.push(result.problem);
  }
  const hasOptional = Object.keys(owner.manifest.peerDependenciesMeta ?? {}).length > 0;
  if (problems.length > 0 || !hasOptional || clients.length > 0) return problems;
  return [`${owner.manifest.name} has optional clients, but no entry misses one`];
}

async function checkTypes(project: OutsideProject, what: string): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const resolution of ["nodenext", "bundler"] as const) {
    await project.write("tsconfig.json", userTsconfig(resolution));
    const result = await project.run([TSC, "-p", "tsconfig.json"]);
    if (result.status !== 0)
      problems.push(`${what} does not compile (${resolution})\n${result.output}`);
  }
  return problems;
}

/** A tarball holds the licence, a README and no tests. */
async function checkContents(project: OutsideProject): Promise<readonly string[]> {
  const folder = join(project.folder, "node_modules", "@bus");
  const tests = await findFiles(["*/{src,dist}/**/*.{test,test-d}.*"], folder, []);
  const wanted = packages.flatMap(({ folderName }) =>
    ["LICENSE", "README.md"].map((file) => join(folderName, file)),
  );
  const missing = wanted.filter((file) => !existsSync(join(folder, file)));
  return [
    ...tests.map((file) => `@bus/${file} should not be packed`),
    ...missing.map((file) => `@bus/${file} is not in the tarball`),
  ];
}
