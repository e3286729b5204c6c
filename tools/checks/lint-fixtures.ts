/** A small file that a lint rule must reject, or must accept. */
export interface LintFixture {
  /** Where it would stand in the workspace. */
  readonly path: string;
  readonly code: string;
  /** Rule that must fire, as oxlint names it; absent: none may. */
  readonly rule?: string;
  /** What the rule must say. */
  readonly message?: RegExp;
}

const ARROW = "eslint(no-restricted-imports)";

function imports(path: string, specifier: string, message?: RegExp): LintFixture {
  const code = `import { thing } from "${specifier}";\n\nexport const own: unknown = thing;\n`;
  return message === undefined ? { path, code } : { path, code, rule: ARROW, message };
}

/** Every arrow of the architecture, in the direction that is allowed and in one that is not. */
export const ARROW_FIXTURES: readonly LintFixture[] = [
  imports("packages/kafka/src/uses-core.ts", "@bus/core"),
  imports("packages/kafka/src/uses-adapter.ts", "@bus/core/adapter"),
  imports("packages/kafka/src/uses-memory.ts", "@bus/memory", /nothing else named @bus/),
  imports("packages/kafka/src/uses-entry.ts", "@bus/nats/core", /nothing else named @bus/),
  imports("packages/kafka/src/kafkajs/uses-testkit.ts", "@bus/testkit", /nothing else named @bus/),
  imports("packages/kafka/src/kafkajs/uses-seam.ts", "../kafka-driver.ts"),
  imports("packages/kafka/src/kafkajs/uses-client.ts", "kafkajs"),
  imports("packages/nats/src/client/uses-client.ts", "nats"),
  imports("packages/nats/src/consume/uses-client.ts", "nats", /only src\/client/),
  imports("packages/kafka/src/root-uses-client.ts", "kafkajs", /only a driver's own folder/),
  imports(
    "packages/kafka/src/root-uses-driver.ts",
    "./kafkajs/driver.ts",
    /only a driver's own folder/,
  ),
  imports("packages/dlq/src/climbs-out.ts", "../../core/src/bus/event-bus.ts", /stays inside/),
  imports("packages/dlq/src/uses-own-entry.ts", "./index.ts", /index\.ts is for users/),
  imports("packages/dlq/src/lane.test.ts", "@bus/testkit"),
  imports("packages/dlq/src/other.test.ts", "@bus/kafka", /tests use/),
  imports("packages/dlq/test/replay.conformance.test.ts", "@bus/memory"),
  imports("packages/dlq/test/own.test.ts", "@bus/dlq"),
  imports("packages/dlq/test/brokers.conformance.test.ts", "@bus/tools-brokers"),
  imports("packages/dlq/test/sibling.test.ts", "@bus/aggregate", /tests use/),
  imports("packages/kafka/test/own-driver.test.ts", "@bus/kafka/kafkajs"),
  imports("tools/anything/use.ts", "@bus/kafka"),
  imports("examples/01-any/main.ts", "@bus/metrics"),
  imports("benchmarks/any.ts", "@bus/nats"),
  imports("packages/core/src/index.ts", "./bus/event-bus.ts"),
  imports("packages/core/src/uses-other.ts", "@bus/memory", /core imports no other package/),
  imports("packages/core/src/registry/down.ts", "../bus/event-bus.ts"),
  imports("packages/core/src/registry/itself.ts", "@bus/core", /core imports no other package/),
  imports("packages/core/src/bus/down.ts", "../consume/run-delivery.ts"),
  imports("packages/core/src/bus/up.ts", "../registry/define-plugin.ts", /folders below it/),
  imports("packages/core/src/consume/down.ts", "../topics/define-topic.ts"),
  imports("packages/core/src/consume/up.ts", "../bus/event-bus.ts", /folders below it/),
  imports("packages/core/src/consume/across.ts", "../publish/publish-path.ts", /folders below it/),
  imports("packages/core/src/publish/up.ts", "../bus/event-bus.ts", /folders below it/),
  imports("packages/core/src/adapter/down.ts", "../contracts/clock.ts"),
  imports("packages/core/src/adapter/up.ts", "../consume/run-delivery.ts", /folders below it/),
  imports("packages/core/src/topics/up.ts", "../publish/publish-path.ts", /folders below it/),
  imports("packages/core/src/topics/across.ts", "../adapter/back-off.ts", /folders below it/),
  imports("packages/core/src/observe/up.ts", "../bus/event-bus.ts", /folders below it/),
  imports("packages/core/src/options/up.ts", "../adapter/back-off.ts", /folders below it/),
  imports("packages/core/src/errors/down.ts", "../contracts/clock.ts"),
  imports("packages/core/src/errors/up.ts", "../options/option-table.ts", /errors imports/),
  imports("packages/core/src/contracts/beside.ts", "./clock.ts"),
  imports("packages/core/src/contracts/up.ts", "../errors/bus-error.ts", /nothing above them/),
  imports("packages/core/src/contracts/root.ts", "../index.ts", /nothing above them/),
  imports("packages/core/src/unknown-folder/any.ts", "../contracts/clock.ts", /has no floor/),
];

const LONG_FUNCTION = `export function long(): void {\n${"  void 0;\n".repeat(60)}}\n`;

/** The other rules that hold the code together. */
export const RULE_FIXTURES: readonly LintFixture[] = [
  {
    path: "packages/dlq/src/floating.ts",
    code: "async function work(): Promise<void> {\n  await Promise.resolve();\n}\n\nexport function begin(): void {\n  work();\n}\n",
    rule: "typescript(no-floating-promises)",
  },
  {
    path: "packages/dlq/src/misused.ts",
    code: 'async function ready(): Promise<boolean> {\n  return await Promise.resolve(true);\n}\n\nexport function answer(): string {\n  if (ready()) return "yes";\n  return "no";\n}\n',
    rule: "typescript(no-misused-promises)",
  },
  {
    path: "packages/dlq/src/not-exhaustive.ts",
    code: 'export function size(kind: "a" | "b"): number {\n  let count = 0;\n  switch (kind) {\n    case "a":\n      count = 1;\n      break;\n  }\n  return count;\n}\n',
    rule: "typescript(switch-exhaustiveness-check)",
  },
  {
    path: "packages/dlq/src/any.ts",
    code: "export const value: any = 1;\n",
    rule: "typescript(no-explicit-any)",
  },
  {
    path: "packages/dlq/src/non-null.ts",
    code: "export function first(list: readonly string[]): string {\n  return list[0]!;\n}\n",
    rule: "typescript(no-non-null-assertion)",
  },
  {
    path: "packages/dlq/src/type-import.ts",
    code: 'import { Other } from "./other-type.ts";\n\nexport type Same = Other;\n',
    rule: "typescript(consistent-type-imports)",
  },
  {
    path: "packages/dlq/src/other-type.ts",
    code: "export interface Other {\n  readonly name: string;\n}\n",
  },
  {
    path: "packages/dlq/src/cycle-a.ts",
    code: 'import { b } from "./cycle-b.ts";\n\nexport const a = (): number => b() + 1;\n',
    rule: "import(no-cycle)",
  },
  {
    path: "packages/dlq/src/cycle-b.ts",
    code: 'import { a } from "./cycle-a.ts";\n\nexport const b = (): number => a() + 1;\n',
    rule: "import(no-cycle)",
  },
  {
    path: "packages/dlq/src/default-export.ts",
    code: "export default 1;\n",
    rule: "import(no-default-export)",
  },
  { path: "any.config.ts", code: "export default 1;\n" },
  {
    path: "packages/dlq/src/long-file.ts",
    code: Array.from({ length: 301 }, (_, index) => `export const c${index} = ${index};\n`).join(
      "",
    ),
    rule: "eslint(max-lines)",
  },
  {
    path: "packages/dlq/src/long-but-documented.ts",
    code: Array.from(
      { length: 299 },
      (_, index) => `/** ${index} */\nexport const c${index} = ${index};\n`,
    ).join(""),
  },
  {
    path: "packages/dlq/src/long-function.ts",
    code: LONG_FUNCTION,
    rule: "eslint(max-lines-per-function)",
  },
  { path: "packages/dlq/src/long-function.test.ts", code: LONG_FUNCTION },
  {
    path: "packages/dlq/src/many-parameters.ts",
    code: "export const sum = (a: number, b: number, c: number, d: number): number => a + b + c + d;\n",
    rule: "eslint(max-params)",
  },
  {
    path: "packages/dlq/src/deep.ts",
    code: "export function deep(n: number): number {\n  if (n > 1) {\n    if (n > 2) {\n      if (n > 3) {\n        if (n > 4) {\n          return n;\n        }\n      }\n    }\n  }\n  return 0;\n}\n",
    rule: "eslint(max-depth)",
  },
  {
    path: "packages/dlq/src/prints.ts",
    code: 'export const say = (): void => console.log("x");\n',
    rule: "eslint(no-console)",
  },
  { path: "tools/dlq/prints.ts", code: 'export const say = (): void => console.log("x");\n' },
  {
    path: "packages/dlq/src/timer.ts",
    code: "export const later = (run: () => void): void => void setTimeout(run, 1);\n",
    rule: "eslint(no-restricted-globals)",
  },
  {
    path: "packages/dlq/src/now.ts",
    code: "export const now = (): number => Date.now();\n",
    rule: "eslint(no-restricted-properties)",
  },
  {
    path: "packages/core/src/adapter/system-clock.ts",
    code: "export const now = (): number => Date.now();\n",
  },
  { path: "packages/dlq/src/now.test.ts", code: "export const now = (): number => Date.now();\n" },
  {
    path: "packages/dlq/src/silent.ts",
    code: "export function quiet(run: () => void): void {\n  try {\n    run();\n  } catch {}\n}\n",
    rule: "eslint(no-empty)",
  },
  {
    path: "packages/dlq/src/deliberate.ts",
    code: "export function quiet(run: () => void): void {\n  try {\n    run();\n  } catch {\n    /* the caller asked once and does not care */\n  }\n}\n",
  },
  {
    path: "packages/dlq/src/nested.ts",
    code: 'export const name = (n: number): string => (n > 1 ? "many" : n > 0 ? "one" : "none");\n',
    rule: "eslint(no-nested-ternary)",
  },
  {
    path: "packages/dlq/src/camelCase.ts",
    code: "export const one = 1;\n",
    rule: "unicorn(filename-case)",
  },
  {
    path: "packages/dlq/src/needless-disable.ts",
    code: "// oxlint-disable-next-line no-console -- nothing here prints\nexport const one = 1;\n",
    rule: "",
    message: /Unused oxlint-disable/,
  },
];
