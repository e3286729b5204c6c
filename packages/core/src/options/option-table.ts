import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";

/** What an option may be, its default and what it means. `default: undefined` (or none) makes it optional without one. */
export interface OptionRule {
  readonly type:
    | "integer"
    | "number"
    | "string"
    | "boolean"
    | "choice"
    | "object"
    | "function"
    | "list";
  readonly description: string;
  readonly default?: unknown;
  readonly required?: boolean;
  /** Smallest allowed number. */
  readonly min?: number;
  /** Largest allowed number. */
  readonly max?: number;
  /** Allowed values of a `choice`. */
  readonly choices?: readonly string[];
}

/** One rule per option. */
export type OptionRules<TOptions> = { readonly [Name in keyof TOptions]-?: OptionRule };

/** A Standard Schema with a JSON Schema. */
export interface OptionTable<TInput, TOptions> {
  readonly "~standard": StandardSchemaV1.Props<TInput, TOptions> &
    StandardJSONSchemaV1.Props<TInput, TOptions>;
}

interface OptionIssue extends StandardSchemaV1.Issue {
  readonly code?: "unrecognized_keys";
  readonly keys?: readonly string[];
}

/**
 * A strict schema for a flat object of options, for packages without a schema library: unknown options are issues,
 * defaults are filled in, the result is frozen.
 */
export function optionTable<TInput extends object, TOptions extends object>(
  rules: OptionRules<TOptions>,
): OptionTable<TInput, TOptions> {
  const entries: readonly (readonly [string, OptionRule])[] = Object.entries(rules);
  return {
    "~standard": {
      version: 1,
      vendor: "@bus/core",
      validate: (value) => validate<TOptions>(entries, value),
      jsonSchema: { input: () => describeRules(entries), output: () => describeRules(entries) },
    },
  };
}

function validate<TOptions>(
  entries: readonly (readonly [string, OptionRule])[],
  input: unknown,
): StandardSchemaV1.Result<TOptions> {
  const value = input ?? {};
  if (!isRecord(value)) return { issues: [{ message: "must be an object", path: [] }] };
  const issues: OptionIssue[] = [];
  const known = new Set(entries.map(([name]) => name));
  const unknown = Object.keys(value).filter((name) => !known.has(name));
  if (unknown.length > 0)
    issues.push({ message: "unknown option", path: [], code: "unrecognized_keys", keys: unknown });
  const result: Record<string, unknown> = {};
  for (const [name, rule] of entries) {
    const given = value[name];
    const problem = given === undefined ? missing(rule) : violation(rule, given);
    if (problem !== undefined) issues.push({ message: problem, path: [name] });
    const effective = given === undefined ? rule.default : given;
    if (effective !== undefined) result[name] = effective;
  }
  if (issues.length > 0) return { issues };
  // Every member was checked against its rule above; the rules are keyed by the members of TOptions.
  return { value: Object.freeze(result) as TOptions };
}

function missing(rule: OptionRule): string | undefined {
  return rule.required === true ? "is required" : undefined;
}

function violation(rule: OptionRule, value: unknown): string | undefined {
  switch (rule.type) {
    case "integer":
      return Number.isSafeInteger(value) ? outOfRange(rule, value) : "must be an integer";
    case "number":
      return Number.isFinite(value) ? outOfRange(rule, value) : "must be a number";
    case "choice":
      return rule.choices?.some((choice) => choice === value)
        ? undefined
        : `must be one of ${rule.choices?.join(", ")}`;
    case "list":
      return Array.isArray(value) && value.every((item) => typeof item === "string")
        ? undefined
        : "must be a list of strings";
    case "object":
      return typeof value === "object" && value !== null ? undefined : "must be an object";
    case "string":
    case "boolean":
    case "function":
      return typeof value === rule.type ? undefined : `must be a ${rule.type}`;
    default:
      return rule.type satisfies never;
  }
}

function outOfRange(rule: OptionRule, value: unknown): string | undefined {
  if (typeof value !== "number") return "must be a number";
  if (rule.min !== undefined && value < rule.min) return `must be at least ${rule.min}`;
  if (rule.max !== undefined && value > rule.max) return `must be at most ${rule.max}`;
  return undefined;
}

function describeRules(
  entries: readonly (readonly [string, OptionRule])[],
): Record<string, unknown> {
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(entries.map(([name, rule]) => [name, describeRule(rule)])),
    required: entries.filter(([, rule]) => rule.required === true).map(([name]) => name),
  };
}

function describeRule(rule: OptionRule): Record<string, unknown> {
  const base: Record<string, unknown> = { description: rule.description };
  if (rule.default !== undefined && typeof rule.default !== "function")
    base["default"] = rule.default;
  if (rule.min !== undefined) base["minimum"] = rule.min;
  if (rule.max !== undefined) base["maximum"] = rule.max;
  switch (rule.type) {
    case "choice":
      return { ...base, enum: rule.choices };
    case "list":
      return { ...base, type: "array", items: { type: "string" } };
    case "function":
      return { ...base, not: {}, description: `${rule.description} (only in code)` };
    case "integer":
    case "number":
    case "string":
    case "boolean":
    case "object":
      return { ...base, type: rule.type };
    default:
      return rule.type satisfies never;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
