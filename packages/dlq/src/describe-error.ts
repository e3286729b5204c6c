import { createHash } from "node:crypto";
import { causesFirst, isList, items, property, textProperty } from "./error-chain.ts";

/** What a dead letter says of an error; nothing here can throw, whatever was thrown. */
export interface ErrorDescription {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  /** Equal for failures of one cause: name, code and the places in the stack, without numbers and values. */
  readonly fingerprint: string;
}

const FINGERPRINT_FRAMES = 5;
/** Where the handler's frames end and those of the bus or of Node begin: how a run was started says nothing of its failure. */
const FRAME_OF_BUS = /\/@bus\/|\brunDelivery\b|\bagain\b|node:internal/;

/** Describe anything that was thrown. */
export function describeError(error: unknown): ErrorDescription {
  const name = textProperty(error, "name") ?? (error === null ? "null" : typeof error);
  const code = property(error, "code");
  const codeText = typeof code === "string" || typeof code === "number" ? String(code) : "";
  const stack = textProperty(error, "stack") ?? "";
  return {
    name,
    code: codeText,
    message: messageOf(error),
    stack,
    fingerprint: fingerprintOf(name, codeText, stack),
  };
}

/** One thing that a schema found wrong. */
export interface ErrorIssue {
  /** Where in the value, `a.0.b`; empty for the value itself. */
  readonly path: string;
  readonly message: string;
}

const MAX_ISSUES = 20;

/** The issues of a schema error, wherever in the chain of causes they are; none for other errors. Never throws. */
export function describeIssues(error: unknown): readonly ErrorIssue[] {
  for (const one of causesFirst(error)) {
    const issues = property(one, "issues") ?? property(property(one, "details"), "issues");
    if (isList(issues)) return items(issues).slice(0, MAX_ISSUES).map(issueOf);
  }
  return [];
}

function issueOf(issue: unknown): ErrorIssue {
  const path = property(issue, "path");
  const segments: readonly unknown[] = isList(path) ? items(path) : [path ?? ""];
  return {
    path: segments.map((segment) => printable(property(segment, "key") ?? segment)).join("."),
    message: textProperty(issue, "message") ?? "",
  };
}

function printable(segment: unknown): string {
  return typeof segment === "string" || typeof segment === "number" ? String(segment) : "?";
}

function messageOf(error: unknown): string {
  const message = textProperty(error, "message");
  if (message !== undefined) return message;
  // Objects and functions may have a `toString` of their own, which may throw or cost.
  return (typeof error === "object" && error !== null) || typeof error === "function"
    ? ""
    : String(error);
}

function fingerprintOf(name: string, code: string, stack: string): string {
  const lines = stack.split("\n").filter((line) => line.trimStart().startsWith("at "));
  const end = lines.findIndex((line) => FRAME_OF_BUS.test(line));
  const frames = (end < 0 ? lines : lines.slice(0, end))
    .slice(0, FINGERPRINT_FRAMES)
    .map((line) => line.trim().replace(/:\d+:\d+\)?$/, ""));
  return createHash("sha256")
    .update([name, code, ...frames].join("\n"))
    .digest("hex")
    .slice(0, 16);
}
