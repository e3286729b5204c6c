const PORT_TAKEN = /address already in use/i;
const COMPLAINT = /\b(?:ERROR|FATAL|FTL|ERR)\b|(?:exception|error): |\bnot found\b/i;
const HARMLESS = /\b(?:TRACE|DEBUG|INFO|WARN)\b/;
const MAX_LINES = 3;
const MAX_LENGTH = 300;

/** True when a program that has written this could not have a port that somebody else listens on. */
export function saysPortTaken(log: string): boolean {
  return PORT_TAKEN.test(log);
}

/**
 * The lines of a log that say why its program ended, at most three: a port that is taken, then root causes, then other complaints, then
 * whatever came last.
 */
export function tellingLines(log: string): string {
  const lines = log
    .split("\n")
    .map((line) => line.trim().slice(0, MAX_LENGTH))
    .filter((line) => line !== "");
  const complaints = lines.filter((line) => COMPLAINT.test(line) && !HARMLESS.test(line));
  const ranked = [
    ...lines.filter((line) => PORT_TAKEN.test(line)),
    ...lines.filter((line) => line.startsWith("Caused by: ")),
    ...complaints,
  ];
  const chosen = [...new Set(ranked.length === 0 ? lines.slice(-MAX_LINES) : ranked)].slice(
    0,
    MAX_LINES,
  );
  return chosen.length === 0 ? "it wrote nothing" : chosen.join(" | ");
}
