import { expect, test } from "vitest";

import { readmeProgram } from "./readme-program.ts";

const PRINTS = "It prints\n```text\nhello\n```\n";

test("the program is the marked block, not the first one", () => {
  const readme = `\`\`\`ts\nother();\n\`\`\`\n\`\`\`ts program\nmain();\n\`\`\`\n${PRINTS}`;
  expect(readmeProgram(readme)).toEqual({ code: "main();\n", prints: "hello\n" });
});

test("a README without a program is an error", () => {
  expect(() => readmeProgram(`\`\`\`ts\nmain();\n\`\`\`\n${PRINTS}`)).toThrow(
    "no block ```ts program",
  );
});

test("a program without its output is an error", () => {
  expect(() => readmeProgram("```ts program\nmain();\n```\n```sh\nls\n```\n")).toThrow(
    "does not say",
  );
});
