import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { findFiles } from "./find-files.ts";
import { firstUnmatched } from "./match-output.ts";
import { reportProblems } from "./report-problems.ts";
import { runProgram } from "./run-program.ts";
import { ROOT } from "./workspace.ts";

const TIMEOUT_MS = 120_000;
const MAX_MAIN_LINES = 80;

const manifests = await findFiles(["examples/*/package.json"], ROOT);
const problems: string[] = [];
for (const manifest of manifests) problems.push(...(await checkExample(dirname(manifest))));
reportProblems(problems, `${manifests.length} examples print what they promise`);

async function checkExample(example: string): Promise<readonly string[]> {
  const folder = join(ROOT, example);
  const [expected, main] = await Promise.all(
    ["expected.txt", "main.ts"].map((name) =>
      readFile(join(folder, name), "utf8").catch(() => undefined),
    ),
  );
  if (main === undefined) return [`${example}/main.ts is missing`];
  if (expected === undefined || expected.trim() === "")
    return [`${example}/expected.txt is missing`];
  const lines = main.trimEnd().split("\n").length;
  const tooLong =
    lines > MAX_MAIN_LINES
      ? [`${example}/main.ts has ${lines} lines, ${MAX_MAIN_LINES} are allowed`]
      : [];
  const result = await runProgram(["node", "--conditions=@bus/source", "main.ts"], {
    cwd: folder,
    env: process.env,
    timeoutMs: TIMEOUT_MS,
  });
  if (result.status !== 0)
    return [...tooLong, `${example} ended with status ${result.status}\n${result.output}`];
  const unmatched = firstUnmatched(expected, result.stdout);
  return unmatched === undefined
    ? tooLong
    : [...tooLong, `${example} did not print ${unmatched}\n${result.output}`];
}
