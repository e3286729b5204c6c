/** How deep causes are followed; a cycle of causes ends here too. */
const MAX_DEPTH = 16;

/**
 * An error and everything that caused it, innermost cause first: members of an `AggregateError` count as causes.
 * Whatever was thrown is accepted; reading a property of it never throws.
 */
export function causesFirst(thrown: unknown): readonly unknown[] {
  const found: unknown[] = [];
  const visit = (error: unknown, depth: number): void => {
    if (depth > MAX_DEPTH || found.includes(error)) return;
    const cause = property(error, "cause");
    if (cause !== undefined && cause !== null) visit(cause, depth + 1);
    const errors = property(error, "errors");
    if (Array.isArray(errors)) for (const member of errors) visit(member, depth + 1);
    found.push(error);
  };
  visit(thrown, 0);
  return found;
}

/** A property of anything; `undefined` where there is none or its getter throws. */
export function property(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    return Reflect.get(value, name);
  } catch {
    // A getter that throws says as much as no property.
    return undefined;
  }
}

/** A property that is a non-empty string; `undefined` otherwise. */
export function textProperty(value: unknown, name: string): string | undefined {
  const text = property(value, name);
  return typeof text === "string" && text !== "" ? text : undefined;
}
