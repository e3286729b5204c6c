import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { DLQ_DEFAULTS } from "@bus/dlq";

test("the README's table of options has every option with its default", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const rows = readme.matchAll(/^\| `([\w.]+)` +\| (.+?) +\|/gm);
  const shown = new Map(Array.from(rows, ([, name, value]) => [name, value]));
  const { retry, ...flat } = DLQ_DEFAULTS;
  const nested = Object.entries(retry).map(([name, value]) => [`retry.${name}`, value] as const);
  const printed = (value: number | string): string =>
    typeof value === "number" ? value.toLocaleString("en-US") : `\`"${value}"\``;
  const all = [...Object.entries(flat), ...nested];
  expect(all.filter(([name]) => !shown.has(name))).toEqual([]);
  // What is neither a number nor a word is described in words.
  const plain = all.flatMap(([name, value]) =>
    typeof value === "number" || typeof value === "string" ? [[name, printed(value)] as const] : [],
  );
  for (const [name, value] of plain) expect([name, shown.get(name)]).toEqual([name, value]);
});
