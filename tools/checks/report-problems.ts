/**
 * Print the problems a check has found, or one line that says what is in order, and set the exit status.
 *
 * @param problems - One line each; what is wrong, where, and what to do.
 * @param fine - Printed when there are none, for example `120 links lead somewhere`.
 */
export function reportProblems(problems: readonly string[], fine: string): void {
  if (problems.length === 0) {
    console.log(fine);
    return;
  }
  for (const problem of problems) console.error(problem);
  process.exitCode = 1;
}
