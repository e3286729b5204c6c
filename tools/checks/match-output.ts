/**
 * Compare what a program has printed with what is expected.
 *
 * @param expected - One regular expression per line, for a whole line of the output. They must match in this order; other lines may lie between them. Empty lines count for nothing.
 * @returns The first expression that no line matches, or `undefined`.
 */
export function firstUnmatched(expected: string, output: string): string | undefined {
  const lines = output.split("\n");
  let next = 0;
  for (const pattern of expected.split("\n").filter((line) => line.trim() !== "")) {
    const whole = new RegExp(`^(?:${pattern})$`);
    const found = lines.findIndex((line, index) => index >= next && whole.test(line));
    if (found === -1) return pattern;
    next = found + 1;
  }
  return undefined;
}
