import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { BusConfigError } from "../errors/bus-error.ts";
import { nearestName } from "./nearest-name.ts";

/** A schema for options: any Standard Schema; with its JSON Schema, unknown names get a suggestion and editors a completion. */
export type OptionSchema<TInput, TOptions> = StandardSchemaV1<TInput, TOptions>;

/**
 * Check options once, at the door.
 *
 * @param path - Where the options stand, for messages: `kafka`, `plugins.aggregate`.
 * @returns The effective options: defaults applied.
 * @throws BusConfigError `BUS_CONFIG` with the path and the value of the first issue; `details.issues` has all of them.
 */
export function validateOptions<TInput, TOptions>(
  schema: OptionSchema<TInput, TOptions>,
  input: unknown,
  path: string,
): TOptions {
  const result = schema["~standard"].validate(input ?? {});
  if (result instanceof Promise) {
    throw new BusConfigError("BUS_CONFIG", `the schema of ${path} must be synchronous`, {
      details: { path },
    });
  }
  if (result.issues === undefined) return result.value;
  const known = jsonSchemaOf(schema);
  const issues = result.issues.flatMap((issue) => describeIssue(issue, { path, input, known }));
  const first = issues[0] ?? { path, message: `${path} is not valid`, value: undefined };
  throw new BusConfigError("BUS_CONFIG", first.message, {
    details: { path: first.path, value: first.value, issues },
  });
}

/** The JSON Schema of the input side, or `undefined` when the schema has none. */
export function jsonSchemaOf(schema: object): Record<string, unknown> | undefined {
  if (!("~standard" in schema)) return undefined;
  const props: unknown = schema["~standard"];
  if (!isRecord(props) || !isRecord(props["jsonSchema"])) return undefined;
  // Checked above: a Standard JSON Schema has `jsonSchema.input`.
  const converter = props["jsonSchema"] as Partial<StandardJSONSchemaV1.Converter>;
  return converter.input?.({ target: "draft-2020-12", libraryOptions: { unrepresentable: "any" } });
}

interface IssueContext {
  readonly path: string;
  readonly input: unknown;
  readonly known: Record<string, unknown> | undefined;
}

interface DescribedIssue {
  readonly path: string;
  readonly message: string;
  readonly value: unknown;
}

function describeIssue(
  issue: StandardSchemaV1.Issue,
  context: IssueContext,
): readonly DescribedIssue[] {
  const keys = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
  const path = [context.path, ...keys.map(String)].join(".");
  const unknown = unknownKeysOf(issue);
  if (unknown.length === 0) {
    const value = valueAt(context.input, keys);
    return [{ path, value, message: `${path} ${lowerFirst(issue.message)}, got ${show(value)}` }];
  }
  const names = propertyNames(context.known, keys);
  return unknown.map((name) => {
    const suggestion = nearestName(name, names);
    const hint = suggestion === undefined ? "" : ` (did you mean \`${suggestion}\`?)`;
    const value = valueAt(context.input, [...keys, name]);
    return {
      path: `${path}.${name}`,
      value,
      message: `unknown option ${path}.${name}, got ${show(value)}${hint}`,
    };
  });
}

function unknownKeysOf(issue: StandardSchemaV1.Issue): readonly string[] {
  if (!("keys" in issue) || !Array.isArray(issue.keys)) return [];
  return issue.keys.filter((key) => typeof key === "string");
}

function propertyNames(
  schema: Record<string, unknown> | undefined,
  keys: readonly PropertyKey[],
): readonly string[] {
  let node: unknown = schema;
  for (const key of keys) {
    node =
      isRecord(node) && isRecord(node["properties"]) ? node["properties"][String(key)] : undefined;
  }
  return isRecord(node) && isRecord(node["properties"]) ? Object.keys(node["properties"]) : [];
}

function valueAt(input: unknown, keys: readonly PropertyKey[]): unknown {
  let node = input;
  for (const key of keys)
    node = isRecord(node) || Array.isArray(node) ? Reflect.get(node, key) : undefined;
  return node;
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? "a list" : "an object";
  return String(value);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
