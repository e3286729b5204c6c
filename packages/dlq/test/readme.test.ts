import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { DLQ_DEFAULTS } from "@bus/dlq";

test("the README's table of options has every option with its default", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const rows = readme.matchAll(/^\| `([\w.]+)` +\| (.+?) +\|/gm);
  const shown = new Map(Array.from(rows, ([, name, value]) => [name, value]));
  const { retry, ...flat } = DLQ_DEFAULTS;
  const nested = Object.entries(retry).map(([name, value]) => [`retry.${name}`, value] as const);
  const printed = (value: unknown): unknown => {
    if (typeof value === "number") return value.toLocaleString("en-US");
    // What is neither a number nor a word is described in words.
    return typeof value === "string" ? `\`"${value}"\`` : expect.any(String);
  };
  for (const [name, value] of [...Object.entries(flat), ...nested])
    expect([name, shown.get(name)]).toEqual([name, printed(value)]);
});
