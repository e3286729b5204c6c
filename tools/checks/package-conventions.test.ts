import { describe, expect, test } from "vitest";

import { packageProblems } from "./package-conventions.ts";
import type { Manifest } from "./workspace.ts";

const ROOT_ENTRY = {
  "@bus/source": "./src/index.ts",
  types: "./dist/index.d.ts",
  default: "./dist/index.js",
};

const MODEL: Manifest = {
  name: "@bus/kafka",
  version: "0.1.0",
  description: "Kafka transport.",
  license: "MIT",
  type: "module",
  sideEffects: false,
  engines: { node: ">=22.12" },
  files: ["dist", "src"],
  exports: { ".": ROOT_ENTRY, "./package.json": "./package.json" },
  scripts: { build: "tsc -p tsconfig.build.json" },
  dependencies: { zod: "catalog:" },
  peerDependencies: { "@bus/core": "^0.1.0", kafkajs: "2.2.4" },
  devDependencies: { "@bus/core": "workspace:^" },
  publishConfig: { access: "public", provenance: true },
};

describe("packageProblems", () => {
  test("a package like the others has none", () => {
    expect(packageProblems(MODEL, "kafka")).toEqual([]);
  });

  test.each([
    ["another name than its folder", { name: "@bus/kafkas" }, /^name must be "@bus\/kafka"/],
    ["side effects", { sideEffects: true }, /^sideEffects must be false/],
    ["an old Node", { engines: { node: ">=18" } }, /^engines must be/],
    ["a main field", { main: "./dist/index.js" }, /^main is not used/],
    ["no sources", { files: ["dist"] }, /^files lacks src/],
    ["no description", { description: "" }, /^description is missing/],
    ["another build", { scripts: { build: "tsc" } }, /^scripts must be/],
    ["core as a dependency", { dependencies: { "@bus/core": "workspace:^" } }, /must be a peer/],
    [
      "a version of its own",
      { dependencies: { zod: "^4.0.0" } },
      /must take its version from the catalog/,
    ],
    [
      "a peer range that moves",
      { peerDependencies: { "@bus/core": "workspace:^" } },
      /must be literal/,
    ],
    [
      "a plugin as a peer",
      { peerDependencies: { "@bus/core": "^0.1.0", "@bus/dlq": "^0.1.0" } },
      /@bus\/dlq cannot be a peer/,
    ],
    ["no peer on core", { peerDependencies: {} }, /^@bus\/core must be a peer/],
    ["no link to core", { devDependencies: {} }, /must be in devDependencies/],
    ["no package.json entry", { exports: { ".": ROOT_ENTRY } }, /lacks "\.\/package\.json"/],
  ])("%s is a problem", (_title, change, expected) => {
    const problems = packageProblems({ ...MODEL, ...change }, "kafka");
    expect(problems).toEqual([expect.stringMatching(expected)]);
  });

  test.each([
    [
      "types before the source",
      { types: "./dist/index.d.ts", "@bus/source": "./src/index.ts", default: "./dist/index.js" },
    ],
    ["a target that is not built from the source", { ...ROOT_ENTRY, default: "./dist/main.js" }],
    ["a source outside of src", { ...ROOT_ENTRY, "@bus/source": "./index.ts" }],
  ])("an entry with %s is a problem", (_title, entry) => {
    const exports = { ".": entry, "./package.json": "./package.json" };
    expect(packageProblems({ ...MODEL, exports }, "kafka")).toHaveLength(1);
  });

  test("core brings nothing but types along", () => {
    const { peerDependencies: _peers, ...rest } = MODEL;
    const core = { ...rest, name: "@bus/core", devDependencies: {} };
    expect(
      packageProblems({ ...core, dependencies: { "@standard-schema/spec": "catalog:" } }, "core"),
    ).toEqual([]);
    expect(packageProblems({ ...core, dependencies: { zod: "catalog:" } }, "core")).toEqual([
      "@bus/core has no run-time dependencies, found zod",
    ]);
  });
});
