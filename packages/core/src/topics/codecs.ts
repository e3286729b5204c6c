import type { Codec } from "../contracts/topic.ts";

const encoder = new TextEncoder();
// Malformed UTF-8 must fail: replacing it silently would change the value.
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * JSON as UTF-8; the default codec of `defineTopic`.
 *
 * Source: RFC 8259. `encode` throws a `TypeError` for values that JSON cannot carry at the top level
 * (`undefined`, functions, cycles, bigint); `decode` throws for malformed UTF-8 or JSON.
 */
export function jsonCodec<TValue>(): Codec<TValue> {
  return {
    contentType: "application/json",
    encode(value) {
      const text: string | undefined = JSON.stringify(value);
      if (text === undefined) throw new TypeError(`${typeof value} has no JSON form`);
      return encoder.encode(text);
    },
    decode: (bytes) => JSON.parse(decoder.decode(bytes)),
  };
}

/** Bytes as they are, by reference: nothing is copied on either way. */
export function bytesCodec(): Codec<Uint8Array> {
  return {
    encode(value) {
      if (!(value instanceof Uint8Array))
        throw new TypeError(`value must be a Uint8Array, got ${typeof value}`);
      return value;
    },
    decode: (bytes) => bytes,
  };
}

/** UTF-8 text; `decode` throws for malformed UTF-8. */
export function textCodec(): Codec<string> {
  return {
    contentType: "text/plain; charset=utf-8",
    encode(value) {
      if (typeof value !== "string")
        throw new TypeError(`value must be a string, got ${typeof value}`);
      return encoder.encode(value);
    },
    decode: (bytes) => decoder.decode(bytes),
  };
}
