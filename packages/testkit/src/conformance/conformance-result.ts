/** What became of one test. */
export type ConformanceOutcome = "passed" | "failed" | "skipped";

/** One test of one guarantee on one subject. */
export interface ConformanceResult {
  readonly subject: string;
  readonly guarantee: string;
  readonly test: string;
  readonly outcome: ConformanceOutcome;
  /** Why it was skipped, or how it failed; empty when it passed. */
  readonly reason: string;
  readonly durationMs: number;
  /** Numbers that the test measured, for example duplicates after a crash. */
  readonly figures: Readonly<Record<string, number>>;
}

/**
 * A table of guarantees (rows) and subjects (columns), in Markdown, with the reasons of skips and failures and the
 * measured figures below it.
 */
export function formatConformanceTable(results: readonly ConformanceResult[]): string {
  const subjects = [...new Set(results.map((result) => result.subject))];
  const guarantees = [...new Set(results.map((result) => result.guarantee))];
  const rows = guarantees.map((guarantee) => {
    const cells = subjects.map((subject) => cell(results, guarantee, subject));
    return `| ${[guarantee, ...cells].join(" | ")} |`;
  });
  const head = `| ${["guarantee", ...subjects].join(" | ")} |`;
  const rule = `|${" --- |".repeat(subjects.length + 1)}`;
  return [head, rule, ...rows, ...notes(results)].join("\n");
}

function cell(results: readonly ConformanceResult[], guarantee: string, subject: string): string {
  const own = results.filter(
    (result) => result.guarantee === guarantee && result.subject === subject,
  );
  const parts = OUTCOMES.map((outcome) => ({
    outcome,
    count: own.filter((result) => result.outcome === outcome).length,
  }));
  const text = parts
    .filter(({ count }) => count > 0)
    .map(({ outcome, count }) => `${count} ${outcome}`);
  return text.length === 0 ? "not run" : text.join(", ");
}

const OUTCOMES: readonly ConformanceOutcome[] = ["failed", "passed", "skipped"];

function notes(results: readonly ConformanceResult[]): readonly string[] {
  const lines = results.flatMap((result) => {
    const figures = Object.entries(result.figures).map(([name, value]) => `${name} ${value}`);
    const said = [...(result.reason === "" ? [] : [result.reason]), ...figures];
    if (said.length === 0) return [];
    return [
      `- ${result.subject}, ${result.guarantee}: ${result.test}: ${result.outcome}: ${said.join(", ")}`,
    ];
  });
  return lines.length === 0 ? [] : ["", ...lines];
}
