import { createHash } from "node:crypto";
import { property, textProperty } from "./error-chain.ts";

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

/** Describe anything that was thrown. */
export function describeError(error: unknown): ErrorDescription {
  const name = textProperty(error, "name") ?? (error === null ? "null" : typeof error);
  const code = property(error, "code");
  const codeText = typeof code === "string" || typeof code === "number" ? String(code) : "";
  const stack = textProperty(error, "stack") ?? "";
  return { name, code: codeText, message: messageOf(error), stack, fingerprint: fingerprintOf(name, codeText, stack) };
}

function messageOf(error: unknown): string {
  const message = textProperty(error, "message");
  if (message !== undefined) return message;
  if (typeof error === "object" && error !== null) return "";
  return String(error);
}

function fingerprintOf(name: string, code: string, stack: string): string {
  const frames = stack
    .split("\n")
    .filter((line) => line.trimStart().startsWith("at "))
    .slice(0, FINGERPRINT_FRAMES)
    .map((line) => line.trim().replace(/:\d+:\d+\)?$/, ""));
  return createHash("sha256").update([name, code, ...frames].join("\n")).digest("hex").slice(0, 16);
}
