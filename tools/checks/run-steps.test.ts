import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { chooseSteps, runSteps } from "./run-steps.ts";
import { summaryLine } from "./step.ts";
import type { Counts, Step } from "./step.ts";
import { STEPS } from "./steps.ts";

let root = "";
let written = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bus-steps-"));
  written = "";
});

afterEach(async () => await rm(root, { recursive: true, force: true }));

describe("runSteps", () => {
  test("a step that ends with 0 has passed and shows none of its output", async () => {
    expect(await run([step("good", "console.log('chatter')")])).toEqual({
      passed: 1,
      failed: 0,
      skipped: 0,
    });
    expect(written).toMatch(/^good +ok +\d+\.\d s\n$/);
  });

  test("a step that fails shows its output and how to run it alone, and the others still run", async () => {
    const counts = await run([
      step("bad", "console.error('broken pipe'); process.exit(3)"),
      step("good", ""),
    ]);
    expect(counts).toEqual({ passed: 1, failed: 1, skipped: 0 });
    expect(written).toMatch(/^bad +FAILED/);
    expect(written).toContain("  | broken pipe\n");
    expect(written).toContain("pnpm test --only=bad\n");
  });

  test("a step whose need has failed is not run and counts as failed", async () => {
    const counts = await run([
      step("bad", "process.exit(1)"),
      { ...step("next", "console.log('ran')"), needs: ["bad"] },
    ]);
    expect(counts).toEqual({ passed: 0, failed: 2, skipped: 0 });
    expect(written).toContain("next             FAILED  not run: bad has failed");
  });

  test("a step without input is told and counts for nothing; with input it runs", async () => {
    const examples = { ...step("examples", "process.exit(1)"), inputs: ["examples/*/main.ts"] };
    expect(await run([examples])).toEqual({ passed: 0, failed: 0, skipped: 0 });
    expect(written).toContain("nothing to do yet");
    await mkdir(join(root, "examples", "01-first"), { recursive: true });
    await writeFile(join(root, "examples", "01-first", "main.ts"), "");
    expect(await run([examples])).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  test("a step that hangs is stopped with everything it started", async () => {
    const program =
      "require('node:child_process').spawn('sleep', ['60'], { stdio: 'inherit' }); setInterval(() => {}, 1000)";
    const counts = await run([{ ...step("hangs", program), timeoutMs: 300 }]);
    expect(counts.failed).toBe(1);
    expect(written).toContain("stopped after 0.3 s");
  });

  test("the tests of a vitest step are counted one by one, from the report of this very run", async () => {
    const report = {
      success: true,
      numPassedTests: 5,
      numFailedTests: 0,
      numPendingTests: 2,
      numTodoTests: 0,
      testResults: [
        { assertionResults: [{ fullName: "a > b: no process control", status: "skipped" }] },
      ],
    };
    const program = `require("node:fs").writeFileSync(process.argv.at(-1).split("=")[1], '${JSON.stringify(report)}')`;
    const tests: Step = { ...step("unit", program), counts: "vitest" };
    expect(await run([tests])).toEqual({ passed: 5, failed: 0, skipped: 2 });
    expect(written).toContain("  | not run: a > b: no process control\n");
    expect(await run([{ ...step("unit", ""), counts: "vitest" }])).toEqual({
      passed: 0,
      failed: 1,
      skipped: 0,
    });
  });

  test("after a stop no further step begins", async () => {
    const stop = new AbortController();
    stop.abort();
    expect(await run([step("good", "")], stop.signal)).toEqual({
      passed: 0,
      failed: 0,
      skipped: 0,
    });
  });
});

describe("chooseSteps", () => {
  const all = [
    step("build", ""),
    { ...step("pack", ""), needs: ["build"] },
    { ...step("types", ""), isStatic: true },
  ];

  test("one step brings what it needs, in order", () => {
    expect(chooseSteps(all, "pack").map(({ name }) => name)).toEqual(["build", "pack"]);
  });

  test("static are those that run no test", () => {
    expect(chooseSteps(all, "static").map(({ name }) => name)).toEqual(["types"]);
  });

  test("an unknown step is an error that names the known ones", () => {
    expect(() => chooseSteps(all, "pakc")).toThrow(
      "there is no step pakc; there are static, build, pack, types",
    );
  });

  test("every need of the real steps is a step that comes before", () => {
    const names = STEPS.map(({ name }) => name);
    const late = STEPS.flatMap(({ name, needs }) =>
      (needs ?? []).filter(
        (need) => names.indexOf(need) >= names.indexOf(name) || !names.includes(need),
      ),
    );
    expect(late).toEqual([]);
    const statics = new Set(STEPS.filter(({ isStatic }) => isStatic).map(({ name }) => name));
    expect(
      STEPS.filter(({ isStatic }) => isStatic)
        .flatMap(({ needs }) => needs ?? [])
        .filter((need) => !statics.has(need)),
    ).toEqual([]);
  });
});

describe("summaryLine", () => {
  test("skipped tests are told only when there are any", () => {
    expect(summaryLine({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
    expect(summaryLine({ passed: 3, failed: 1, skipped: 2 })).toBe("3 passed, 1 failed, 2 skipped");
  });
});

function step(name: string, program: string): Step {
  return { name, command: [process.execPath, "--eval", program, "--"], timeoutMs: 10_000 };
}

async function run(
  steps: readonly Step[],
  signal: AbortSignal = new AbortController().signal,
): Promise<Counts> {
  return await runSteps(steps, {
    root,
    env: process.env,
    write: (text) => (written += text),
    signal,
  });
}
