import { readFile } from "node:fs/promises";
import { MEMORY_DEFAULTS } from "@bus/memory";
import { expect, test } from "vitest";

const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), "utf8");

test("the README's example is the program that runs here, and prints what it says", async () => {
  const [, shown] = /```ts\n([^]*?)```/.exec(await read("../README.md")) ?? [];
  expect(shown).toBe(await read("./readme-example.ts"));
  const { key } = await import("./readme-example.ts");
  expect(key).toBe("order-1");
});

test("the README's table of options has every default", async () => {
  const readme = await read("../README.md");
  const shown = new Map(
    Array.from(readme.matchAll(/^\| `(\w+)` +\| `?([^|`]+)`? +\|/gm), ([, name, value]) => [
      name,
      value?.trim(),
    ]),
  );
  for (const [name, value] of Object.entries(MEMORY_DEFAULTS)) {
    expect([name, shown.get(name)]).toEqual([
      name,
      typeof value === "number" ? value.toLocaleString("en-US") : `"${value}"`,
    ]);
  }
});
