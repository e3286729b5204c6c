import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { exportedNames, readApi, undocumentedNames, unnamedTypes } from "./api-report.ts";
import type { ApiReport } from "./api-report.ts";
import { isUpdate, settleGenerated } from "./generated-file.ts";
import { reportProblems } from "./report-problems.ts";
import { publicPackages } from "./workspace.ts";
import type { WorkspacePackage } from "./workspace.ts";

const HINT = "pnpm api --update";

const packages = await publicPackages();
const problems: string[] = [];
for (const each of packages) problems.push(...(await checkPackage(each)));
const entries = packages.flatMap((each) => each.entries);
reportProblems(problems, `${entries.length} API reports are up to date`);

async function checkPackage(owner: WorkspacePackage): Promise<readonly string[]> {
  const missing = owner.entries.filter((entry) => !existsSync(join(owner.folder, entry.types)));
  if (missing.length > 0)
    return missing.map((entry) => `${entry.specifier} is not built: run pnpm build`);
  const reports = await Promise.all(owner.entries.map((entry) => readApi(owner, entry)));
  const found: string[] = reports.flatMap((report) => faultsOf(report, reports));
  for (const { entry, text } of reports) {
    const difference = await settleGenerated(
      `packages/${owner.folderName}/etc/${entry.name}.api.md`,
      text,
      HINT,
    );
    if (difference !== undefined) found.push(difference);
  }
  return [...found, ...(await settleLeftOvers(owner))];
}

/** Types that users meet but cannot name, names without a docstring, declarations that do not compile. */
function faultsOf(report: ApiReport, all: readonly ApiReport[]): readonly string[] {
  const { specifier } = report.entry;
  const named = new Set(all.flatMap((each) => exportedNames(each)));
  const unnamed = unnamedTypes(report).filter((symbol) => !named.has(symbol));
  return [
    ...report.errors.map((error) => `${specifier}: ${error}`),
    ...unnamed.map(
      (symbol) => `${specifier}: users meet the type ${symbol}, but no entry exports it`,
    ),
    ...undocumentedNames(report).map((name) => `${specifier}: ${name} has no docstring`),
  ];
}

/** Reports of entries that are gone. */
async function settleLeftOvers(owner: WorkspacePackage): Promise<readonly string[]> {
  const folder = join(owner.folder, "etc");
  const files = existsSync(folder) ? await readdir(folder) : [];
  const wanted = new Set(owner.entries.map((entry) => `${entry.name}.api.md`));
  const leftOver = files.filter((file) => file.endsWith(".api.md") && !wanted.has(file));
  if (isUpdate()) await Promise.all(leftOver.map((file) => rm(join(folder, file))));
  return isUpdate()
    ? []
    : leftOver.map(
        (file) => `packages/${owner.folderName}/etc/${file} belongs to no entry\n  run ${HINT}`,
      );
}
