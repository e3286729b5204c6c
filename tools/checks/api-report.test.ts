import { expect, test } from "vitest";

import { exportedNames, undocumentedNames, unnamedTypes } from "./api-report.ts";
import type { ApiReport } from "./api-report.ts";

const TEXT = `
// @public
export function defineTopic(name: string): Topic;

// @public (undocumented)
export function defineTopic(name: string, options: Options): Topic;

// @public (undocumented)
export const BUS_DEFAULTS: Defaults;

// @public
export abstract class Lane<TKey> {
    // (undocumented)
    readonly key: TKey;
}

// Warning: (ae-forgotten-export)
interface Options {
}

// Warning: (ae-forgotten-export)
type Merge<A, B> = A & B;
`;

test("every exported name is found", () => {
  expect(exportedNames(report([]))).toEqual(["defineTopic", "defineTopic", "BUS_DEFAULTS", "Lane"]);
});

test("a name needs one docstring, not one for each overload, and members may go without", () => {
  expect(undocumentedNames(report([]))).toEqual(["BUS_DEFAULTS"]);
});

test("an interface that users meet must have a name for them; an alias need not", () => {
  expect(unnamedTypes(report(["Options", "Merge"]))).toEqual(["Options"]);
});

function report(forgotten: readonly string[]): ApiReport {
  const entry = {
    specifier: "@bus/core",
    name: "index",
    source: "./src/index.ts",
    types: "./dist/index.d.ts",
  };
  return { entry, text: TEXT, forgotten, errors: [] };
}
