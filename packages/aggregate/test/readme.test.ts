import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { AGGREGATE_DEFAULTS } from "../src/aggregate-options.ts";

test("the README's table of options has every option with its default", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const shown = new Map(
    Array.from(readme.matchAll(/^\| `(\w+)` +\| (.+?) +\|/gm), ([, name, value]) => [name, value]),
  );
  for (const [name, value] of Object.entries(AGGREGATE_DEFAULTS)) {
    expect([name, shown.get(name)?.replaceAll("`", "")]).toEqual([name, written(value)]);
  }
});

function written(value: unknown): string {
  if (typeof value === "number") return value.toLocaleString("en-US");
  return JSON.stringify(value).replace(",", ", ");
}
