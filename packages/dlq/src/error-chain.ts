/** How deep causes are followed; a cycle of causes ends here too. */
const MAX_DEPTH = 16;
/** How many errors of an `AggregateError` are looked at. */
const MAX_ITEMS = 64;

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
    for (const member of items(property(error, "errors"))) visit(member, depth + 1);
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

/** The items of an array, a bounded number of them; none for anything else, also for an array that throws when it is read. */
export function items(value: unknown): readonly unknown[] {
  try {
    return Array.isArray(value) ? value.slice(0, MAX_ITEMS) : [];
  } catch {
    // A revoked or hostile proxy says as much as no array.
    return [];
  }
}

/** Whether a value is an array; `false` when it throws to be asked. */
export function isList(value: unknown): boolean {
  try {
    return Array.isArray(value);
  } catch {
    // As above.
    return false;
  }
}

/** Whether a value is an instance; `false` when it throws to be asked. */
export function isInstance(
  value: unknown,
  type: abstract new (...args: never) => unknown,
): boolean {
  try {
    return value instanceof type;
  } catch {
    // As above.
    return false;
  }
}
