import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

import { ROOT } from "./workspace.ts";

/** Whether this run writes generated files (`--update`) or only compares them. */
export function isUpdate(): boolean {
  return parseArgs({ options: { update: { type: "boolean", default: false } } }).values.update;
}

/**
 * Compare a generated file with what is committed, or write it.
 *
 * @param path - Relative to the root.
 * @param hint - The command that writes it, for the message.
 * @returns The problem, if there is one.
 */
export async function settleGenerated(
  path: string,
  text: string,
  hint: string,
): Promise<string | undefined> {
  const file = join(ROOT, path);
  const current = await readFile(file, "utf8").catch(() => undefined);
  if (current === text) return undefined;
  if (!isUpdate()) {
    const state =
      current === undefined ? "is missing" : `is out of date: ${firstDifference(current, text)}`;
    return `${path} ${state}\n  run ${hint} and commit the result`;
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  console.log(`written ${path}`);
  return undefined;
}

function firstDifference(current: string, wanted: string): string {
  const before = current.split("\n");
  const after = wanted.split("\n");
  const index = after.findIndex((line, at) => line !== before[at]);
  const at = index === -1 ? after.length : index;
  return `line ${at + 1}\n  - ${before[at] ?? "(end)"}\n  + ${after[at] ?? "(end)"}`;
}
