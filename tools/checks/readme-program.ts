import { markdownBlocks } from "./markdown.ts";

/** The program that a README shows first, and what it says the program prints. */
export interface ReadmeProgram {
  readonly code: string;
  readonly prints: string;
}

/**
 * Find the program: the first `ts` block with the word `program`, and the `text` block after it.
 *
 * @throws Error when there is no such pair: the gate would otherwise prove nothing.
 */
export function readmeProgram(readme: string): ReadmeProgram {
  const blocks = markdownBlocks(readme);
  const index = blocks.findIndex(
    (block) => block.language === "ts" && block.words.includes("program"),
  );
  const program = blocks[index];
  const prints = blocks[index + 1];
  if (program === undefined) throw new Error("the README has no block ```ts program");
  if (prints?.language !== "text")
    throw new Error("the README does not say in a ```text block what its program prints");
  return { code: `${program.code}\n`, prints: `${prints.code}\n` };
}
