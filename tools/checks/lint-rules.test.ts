import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ARROW_FIXTURES, RULE_FIXTURES } from "./lint-fixtures.ts";
import type { LintFixture } from "./lint-fixtures.ts";
import { runProgram } from "./run-program.ts";
import { ROOT } from "./workspace.ts";

interface Diagnostic {
  readonly code?: string;
  readonly message: string;
  readonly help?: string;
  readonly filename: string;
}

const SETTINGS = [".oxlintrc.json", "tsconfig.json", "tsconfig.base.json", "package.json"];
const FIXTURES = [...ARROW_FIXTURES, ...RULE_FIXTURES];
let folder = "";
let diagnostics: readonly Diagnostic[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bus-lint-"));
  for (const name of SETTINGS) await cp(join(ROOT, name), join(folder, name));
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const { path, code } of FIXTURES) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), code);
  }
  const oxlint = join(ROOT, "node_modules", ".bin", "oxlint");
  const result = await runProgram([oxlint, "--format=json"], {
    cwd: folder,
    env: process.env,
    timeoutMs: 60_000,
  });
  diagnostics = (JSON.parse(result.stdout) as { diagnostics: readonly Diagnostic[] }).diagnostics;
});

afterAll(async () => await rm(folder, { recursive: true, force: true }));

describe("lint", () => {
  for (const fixture of FIXTURES) {
    test(titleOf(fixture), () => expect(mismatches(fixture)).toEqual([]));
  }

  test("every folder of core has a floor of its own", async () => {
    const folders = await readdir(join(ROOT, "packages", "core", "src"), { withFileTypes: true });
    const named = FIXTURES.map(({ path }) => /^packages\/core\/src\/([^/]+)\//.exec(path)?.[1]);
    const known = new Set(named.filter((name) => name !== "unknown-folder"));
    const names = folders.filter((each) => each.isDirectory()).map((each) => each.name);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });
});

/** What oxlint said about a fixture and should not have said, or the other way round. */
function mismatches({ path, rule, message }: LintFixture): readonly string[] {
  const found = diagnostics.filter((each) => each.filename === path);
  const said = found.map((each) => `${each.code ?? ""} ${each.message} ${each.help ?? ""}`);
  if (rule === undefined) return said;
  const isExpected = said.some((text) => text.startsWith(rule) && (message ?? /./).test(text));
  return isExpected ? [] : [`${rule} ${message?.source ?? ""} has not fired`, ...said];
}

function titleOf({ path, rule, code }: LintFixture): string {
  const specifier = /from "([^"]+)"/.exec(code)?.[1];
  const subject = specifier === undefined ? path : `${path} importing ${specifier}`;
  return rule === undefined ? `${subject} is accepted` : `${subject} is rejected`;
}
