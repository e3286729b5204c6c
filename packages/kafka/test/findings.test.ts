import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const DOCUMENT = new URL("../../../docs/kafka-findings.md", import.meta.url);

/** `[name](file): words of a test` as the last column of the tables has them. */
const REFERENCE = /\[[^\]]+\]\((?<file>[^)]+\.test\.ts)\): (?<words>[^;|]+)/gu;

const references = Array.from(
  readFileSync(DOCUMENT, "utf8").matchAll(REFERENCE),
  ({ groups }) => [groups?.["words"]?.trim() ?? "", groups?.["file"] ?? ""] as const,
);

test("the table of findings names tests", () => {
  expect(references.length).toBeGreaterThan(30);
});

test.each(references)("a finding is held by “%s” in %s", (words, file) => {
  const text = readFileSync(new URL(file, DOCUMENT), "utf8");
  expect(text).toContain(words);
});
