import type { InspectedDeadLetter, ListedDeadLetter, RunReport } from "../dead-letters.ts";
import { escapeControls } from "../sanitise.ts";

const MESSAGE_CHARS = 60;

/** Dead letters as a table of one line each. */
export function letterTable(letters: readonly ListedDeadLetter[]): string {
  if (letters.length === 0) return "no dead letters\n";
  const rows = letters.map((one) => [
    one.id,
    String(one.deaths),
    one.state,
    one.errorClass,
    one.errorName,
    one.fingerprint,
    Number.isFinite(one.lastFailedAtMs) ? new Date(one.lastFailedAtMs).toISOString() : "?",
    `${one.original.topic}/${one.original.partition}@${one.original.offset}`,
    one.errorMessage.slice(0, MESSAGE_CHARS),
  ]);
  const head = [
    "ID",
    "DEATHS",
    "STATE",
    "CLASS",
    "NAME",
    "FINGERPRINT",
    "LAST FAILED",
    "WHERE",
    "MESSAGE",
  ];
  const table = [head, ...rows].map((row) => row.map((cell) => escapeControls(cell)));
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return `${table.map(line).join("\n")}\n`;
}

/** Everything about one death. */
export function letterText(letter: InspectedDeadLetter): string {
  const { key, value, headers, log, place, original, ...fields } = letter;
  const lines: (readonly [string, string])[] = [
    ...Object.entries(fields).map(([name, field]) => [name, String(field)] as const),
    ["place", `${place.topic}/${place.partition}@${place.offset}`],
    ["original", `${original.topic}/${original.partition}@${original.offset}`],
    ["log", log === undefined ? "" : JSON.stringify(log)],
    ["key", shown(key)],
    ...headers.map(([name, bytes]) => [`header ${name}`, shown(bytes)] as const),
    ["value", shown(value)],
  ];
  return lines.map(([name, text]) => `${escapeControls(name)}: ${escapeControls(text)}\n`).join("");
}

/** A death as JSON can hold it: bytes as text where they are text, and as base64. */
export function letterJson(letter: InspectedDeadLetter): object {
  const { key, value, headers } = letter;
  return {
    ...letter,
    key: bytesJson(key),
    value: bytesJson(value),
    headers: headers.map(([name, bytes]) => ({ name, ...bytesJson(bytes) })),
  };
}

/** What a run did, in a line. */
export function reportText(verb: string, report: RunReport): string {
  const { matched, done, repeated, failed, heldBack, doneBefore, foreign } = report;
  const parts = [
    report.run === "" ? `${matched} would be ${verb}` : `${done} of ${matched} ${verb}`,
    ...part(repeated, "of them possibly twice"),
    ...part(failed, "failed"),
    ...part(heldBack, "held back behind a failed one of their key"),
    ...part(doneBefore, "dealt with before"),
    ...part(foreign, "are no dead letters"),
  ];
  const failures = report.failures.map(
    ({ id, error }) => `  ${id}: ${escapeControls(messageOf(error))}\n`,
  );
  return `${parts.join(", ")}\n${failures.join("")}`;
}

/** A report as JSON can hold it. */
export function reportJson(report: RunReport): object {
  const failures = report.failures.map(({ id, error }) => ({ id, error: messageOf(error) }));
  return { ...report, failures };
}

function part(count: number, text: string): readonly string[] {
  return count === 0 ? [] : [`${count} ${text}`];
}

function shown(bytes: Uint8Array | null): string {
  if (bytes === null) return "(null)";
  return textOf(bytes) ?? `(base64) ${Buffer.from(bytes).toString("base64")}`;
}

function bytesJson(bytes: Uint8Array | null): object | null {
  if (bytes === null) return null;
  const text = textOf(bytes);
  const base64 = Buffer.from(bytes).toString("base64");
  return text === undefined ? { base64 } : { text, base64 };
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not text; shown as base64.
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
