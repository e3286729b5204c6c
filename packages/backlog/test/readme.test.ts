import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { BACKLOG_DEFAULTS } from "../src/backlog-options.ts";

test("the README's table of options has every option with its default", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const shown = new Map(
    Array.from(readme.matchAll(/^\| `([\w.]+)` +\| (.+?) +\|/gm), ([, name, value]) => [
      name,
      value,
    ]),
  );
  const { publisher, ...flat } = BACKLOG_DEFAULTS;
  const nested = Object.entries(publisher).map(
    ([name, value]) => [`publisher.${name}`, value] as const,
  );
  for (const [name, value] of [...Object.entries(flat), ...nested]) {
    expect([name, shown.get(name)]).toEqual([name, Number(value).toLocaleString("en-US")]);
  }
});
