import type { StandardSchemaV1 } from "@standard-schema/spec";
import { BusHandlerError } from "../errors/bus-error.ts";

/**
 * Check a value against a topic's schema.
 *
 * @returns The schema's output, as a promise only when the schema itself is asynchronous.
 * @throws BusHandlerError `BUS_SCHEMA` (also as a rejection) with `details.issues`: path and message of each.
 */
export function checkSchema(schema: StandardSchemaV1, value: unknown, topic: string): unknown {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) return result.then((settled) => outputOf(settled, topic));
  return outputOf(result, topic);
}

function outputOf(result: StandardSchemaV1.Result<unknown>, topic: string): unknown {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map((issue) => ({
    path: (issue.path ?? [])
      .map((part) => String(typeof part === "object" ? part.key : part))
      .join("."),
    message: issue.message,
  }));
  const first = issues[0];
  const where = first === undefined || first.path === "" ? "value" : first.path;
  throw new BusHandlerError(
    "BUS_SCHEMA",
    `${where} of a message of topic ${topic} is not valid: ${first?.message ?? "no reason given"}`,
    {
      details: { topic, issues },
    },
  );
}
