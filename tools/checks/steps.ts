import { pnpmCommand } from "./pnpm-command.ts";
import type { Step } from "./step.ts";

const MINUTE_MS = 60_000;

/** Every gate of the project, in the order they run: what fails fast comes first. */
export const STEPS: readonly Step[] = [
  {
    name: "install",
    command: pnpmCommand("install", "--frozen-lockfile", "--prefer-offline"),
    timeoutMs: 3 * MINUTE_MS,
  },
  { name: "types", isStatic: true, command: ["tsc", "-p", "tsconfig.json"], timeoutMs: MINUTE_MS },
  { name: "lint", isStatic: true, command: ["oxlint"], timeoutMs: MINUTE_MS },
  { name: "format", isStatic: true, command: ["oxfmt", "--check", "."], timeoutMs: MINUTE_MS },
  check("conventions"),
  check("links"),
  check("docs-errors"),
  check("docs-metrics"),
  {
    name: "build",
    isStatic: true,
    command: checkCommand("build"),
    timeoutMs: 3 * MINUTE_MS,
  },
  { ...check("api-reports"), needs: ["build"] },
  { ...check("size"), needs: ["build"] },
  {
    name: "unit",
    command: ["vitest", "run"],
    counts: "vitest",
    timeoutMs: 12 * MINUTE_MS,
  },
  gate("pack", ["build"]),
  gate("publint", ["pack"]),
  gate("attw", ["pack"]),
  {
    name: "prepare",
    inputs: ["tools/*/prepare.ts"],
    command: checkCommand("prepare-tools"),
    timeoutMs: 20 * MINUTE_MS,
  },
  gate("package-gate", ["pack", "prepare"]),
  {
    name: "conformance",
    needs: ["prepare"],
    inputs: ["packages/*/test/**/*.conformance.test.ts", "tools/*/**/*.conformance.test.ts"],
    command: ["vitest", "run", "--config", "vitest.conformance.config.ts"],
    counts: "vitest",
    timeoutMs: 60 * MINUTE_MS,
  },
  {
    name: "examples",
    needs: ["prepare"],
    inputs: ["examples/*/package.json"],
    command: checkCommand("examples"),
    timeoutMs: 10 * MINUTE_MS,
  },
];

/** A check of sources and documents: part of `pnpm check`. */
function check(name: string): Step {
  return { name, isStatic: true, command: checkCommand(name), timeoutMs: MINUTE_MS };
}

/** A gate over the packed packages. */
function gate(name: string, needs: readonly string[]): Step {
  return { name, needs, command: checkCommand(name), timeoutMs: 3 * MINUTE_MS };
}

function checkCommand(name: string): readonly [string, ...string[]] {
  return ["node", `tools/checks/${name}.ts`];
}
