import { basename } from "node:path";

const MAX_DEPTH = 2;
const NAMELESS = new Set([
  "utils",
  "util",
  "helpers",
  "helper",
  "common",
  "types",
  "constants",
  "misc",
  "shared",
]);

const TEXT_RULES: readonly { readonly pattern: RegExp; readonly message: string }[] = [
  { pattern: /^\s*export\s+(?:type\s+)?\*/m, message: "export names, not `*`" },
  { pattern: /\bas unknown as\b/, message: "write a parser instead of a double cast" },
  {
    pattern: /\b(?:oxlint|eslint)-disable(?:-next-line|-line)?\b(?!.* -- \S)/,
    message: "a disable comment needs ` -- ` and a reason",
  },
  { pattern: /@ts-(?:ignore|nocheck)\b/, message: "fix the type instead of silencing it" },
];

/**
 * What no lint rule sees about a source file of a package.
 *
 * @param path - Relative to the package's src, for example `kafkajs/record-batch.ts`.
 * @param entries - Paths of the files that `exports` names, relative to src.
 * @returns One line per problem, without the file's name.
 */
export function sourceProblems(
  path: string,
  text: string,
  entries: ReadonlySet<string>,
): readonly string[] {
  const name = basename(path).split(".")[0] ?? "";
  return [
    ...(path.split("/").length > MAX_DEPTH ? ["no folder is deeper than src/x/y.ts"] : []),
    ...(NAMELESS.has(name) ? [`${name} says nothing: name the file after what it has`] : []),
    ...(name === "index" && !entries.has(path)
      ? ["index.ts exists only where exports names it"]
      : []),
    ...TEXT_RULES.flatMap(({ pattern, message }) => {
      const match = pattern.exec(text);
      return match === null
        ? []
        : [`line ${text.slice(0, match.index).split("\n").length}: ${message}`];
    }),
  ];
}
