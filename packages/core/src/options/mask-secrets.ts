const SECRET_NAME =
  /(password|passphrase|secret|token|credential|apikey|api_key|^pass$|^key$|^pfx$|^creds$|^nkey$|^sasl\.)/i;
const PUBLIC_NAME = /(mechanism|username)/i;

/** What `describe()` shows in place of a secret. */
export const MASK = "********";

/**
 * A copy of options for people to read: values of members whose name says that they are secret are masked, functions
 * and class instances become a word, bytes a size.
 */
export function maskSecrets(value: unknown, name = ""): unknown {
  if (value === undefined || value === null) return value;
  if (typeof value === "function") return "[function]";
  if (isSecret(name) && typeof value !== "object") return MASK;
  if (value instanceof Uint8Array) return isSecret(name) ? MASK : `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => maskSecrets(item, name));
  if (typeof value !== "object") return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `[${value.constructor.name}]`;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, maskSecrets(member, key)]),
  );
}

function isSecret(name: string): boolean {
  return SECRET_NAME.test(name) && !PUBLIC_NAME.test(name);
}
