import { describe, expect, test } from "vitest";

import { sourceProblems } from "./source-conventions.ts";

const ENTRIES = new Set(["index.ts", "kafkajs/index.ts"]);

describe("sourceProblems", () => {
  test.each([
    ["lane-pool.ts", "export const one = 1;\n"],
    ["kafkajs/index.ts", 'export { one } from "./one.ts";\n'],
    ["names.ts", "const all = import.meta.url; // no `export *` here\nexport { all };\n"],
    [
      "casts.ts",
      "// oxlint-disable-next-line no-console -- the only place that prints\nexport const one = 1;\n",
    ],
  ])("%s is fine", (path, text) => {
    expect(sourceProblems(path, text, ENTRIES)).toEqual([]);
  });

  test.each([
    ["a/b/c.ts", "", "no folder is deeper than src/x/y.ts"],
    ["bus/utils.ts", "", "utils says nothing: name the file after what it has"],
    ["types.test.ts", "", "types says nothing: name the file after what it has"],
    ["bus/index.ts", "", "index.ts exists only where exports names it"],
    ["index.ts", 'const a = 1;\nexport * from "./a.ts";\n', "line 2: export names, not `*`"],
    ["index.ts", 'export type * from "./a.ts";\n', "line 1: export names, not `*`"],
    [
      "cast.ts",
      "\nconst a = b as unknown as string;\n",
      "line 2: write a parser instead of a double cast",
    ],
    [
      "disable.ts",
      "// oxlint-disable-next-line no-console\n",
      "line 1: a disable comment needs ` -- ` and a reason",
    ],
    ["ignore.ts", "// @ts-ignore\n", "line 1: fix the type instead of silencing it"],
  ])("%s with %j is a problem", (path, text, problem) => {
    expect(sourceProblems(path, text, ENTRIES)).toEqual([problem]);
  });
});
