import { expect, test } from "vitest";

import { javaMajor, pomFor } from "./java-runtime.ts";

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_402"', 8],
  ['openjdk version "25" 2025-09-16', 25],
  ["The operation couldn’t be completed. Unable to locate a Java Runtime.", 0],
])("%s is Java %i", (text, major) => {
  expect(javaMajor(text)).toBe(major);
});

test("3.9.1 needs a logger that 4.1.1 does not", () => {
  expect(pomFor("3.9.1")).toContain("<artifactId>slf4j-reload4j</artifactId>");
  expect(pomFor("4.1.1")).not.toContain("reload4j");
  expect(pomFor("4.1.1")).toContain("<artifactId>kafka_2.13</artifactId><version>4.1.1</version>");
});
