import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { markdownBlocks } from "./markdown.ts";
import { readmeProgram } from "./readme-program.ts";
import { runProgram } from "./run-program.ts";
import { ROOT, publicPackages } from "./workspace.ts";

interface Snippet {
  /** For people: the README and the line. */
  readonly title: string;
  readonly code: string;
  /** Where it is written to: inside the package whose README it is from, so that its imports are that package's. */
  readonly file: string;
  /** A block marked `no-run` needs a broker or shows a part: it is only type-checked. */
  readonly isRun: boolean;
}

const OWN_TEMP = join(import.meta.dirname, "temp");
const snippets = await collectSnippets();

beforeAll(async () => {
  for (const { file, code } of snippets) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, code);
  }
});

afterAll(async () => {
  const folders = new Set([OWN_TEMP, ...snippets.map(({ file }) => dirname(file))]);
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describe("the code in the READMEs", () => {
  test("there is some", () => expect(snippets.length).toBeGreaterThan(0));

  test("all of it compiles", { timeout: 30_000 }, async () => {
    const project = join(OWN_TEMP, "readme.tsconfig.json");
    await writeFile(project, readmeTsconfig());
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    const result = await run([tsc, "-p", project], ROOT);
    expect(result.output).toBe("");
    expect(result.status).toBe(0);
  });

  for (const { title, file } of snippets.filter(({ isRun }) => isRun)) {
    test(`${title} runs to its end`, async () => {
      const result = await run([process.execPath, "--conditions=@bus/source", file], dirname(file));
      expect(result.status, result.output).toBe(0);
    });
  }

  test("the first program prints what the README says", async () => {
    const { code, prints } = readmeProgram(await readFile(join(ROOT, "README.md"), "utf8"));
    const file = join(OWN_TEMP, "program.ts");
    await writeFile(file, code);
    const result = await run([process.execPath, "--conditions=@bus/source", file], OWN_TEMP);
    expect(result).toEqual({ status: 0, stdout: prints, output: prints });
  });
});

async function collectSnippets(): Promise<readonly Snippet[]> {
  const packages = (await publicPackages()).map(({ folder }) => ({
    readme: join(folder, "README.md"),
    temp: join(folder, "temp"),
  }));
  const sources = [{ readme: join(ROOT, "README.md"), temp: OWN_TEMP }, ...packages];
  const found = await Promise.all(
    sources.map(async ({ readme, temp }) => await snippetsOf(readme, temp)),
  );
  return found.flat();
}

async function snippetsOf(readme: string, temp: string): Promise<readonly Snippet[]> {
  const text = await readFile(readme, "utf8").catch(() => "");
  const blocks = markdownBlocks(text).filter(({ language }) => language === "ts");
  return blocks.map(({ line, words, code, preamble }) => ({
    title: `${relative(ROOT, readme)}:${line}`,
    code: `${preamble}\n${code}\nexport {};\n`,
    file: join(temp, `readme-${line}.ts`),
    isRun: !words.includes("no-run"),
  }));
}

function readmeTsconfig(): string {
  return JSON.stringify({
    extends: join(ROOT, "tsconfig.base.json"),
    compilerOptions: {
      noEmit: true,
      lib: ["ES2024", "ESNext.Disposable"],
      declaration: false,
      isolatedDeclarations: false,
      noPropertyAccessFromIndexSignature: false,
      typeRoots: [join(ROOT, "node_modules", "@types")],
    },
    files: snippets.map(({ file }) => file),
  });
}

async function run(
  command: readonly [string, ...string[]],
  cwd: string,
): ReturnType<typeof runProgram> {
  return await runProgram(command, { cwd, env: process.env, timeoutMs: 20_000 });
}
