import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { findBrokenLinks } from "./find-broken-links.ts";

let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bus-links-"));
  await mkdir(join(root, "docs"));
  await writeFile(join(root, "docs", "guide.md"), "# The guide\n");
});

afterEach(async () => await rm(root, { recursive: true, force: true }));

test("links to files, folders, headings and other sites are fine", async () => {
  await write(
    "[a](docs/guide.md#the-guide) [b](docs) [c](#here) [d](https://example.com/x)\n\n## Here\n",
  );
  expect(await findBrokenLinks(root)).toEqual({ checked: 3, problems: [] });
});

test("a link to nothing is named with its file and line", async () => {
  await write("first\n[a](docs/gide.md)\n");
  expect((await findBrokenLinks(root)).problems).toEqual([
    "README.md:2: docs/gide.md does not exist",
  ]);
});

test("a link to a heading that is not there is a problem", async () => {
  await write("[a](docs/guide.md#guide)\n");
  expect((await findBrokenLinks(root)).problems).toEqual([
    "README.md:1: docs/guide.md#guide has no heading #guide",
  ]);
});

test("a link that leaves the repository is a problem", async () => {
  await write("[a](../elsewhere.md) [b](/docs/guide.md)\n");
  expect((await findBrokenLinks(root)).problems).toEqual([
    "README.md:1: ../elsewhere.md leaves the repository",
    "README.md:1: /docs/guide.md is absolute; write it relative to this file",
  ]);
});

async function write(text: string): Promise<void> {
  await writeFile(join(root, "README.md"), text);
}
