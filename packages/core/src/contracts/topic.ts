import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Turns values into bytes and back. Both directions are synchronous; a throw is `BUS_ENCODE` or `BUS_DECODE`. */
export interface Codec<TValue> {
  /** A content type, written to the `content-type` header when set. */
  readonly contentType?: string;
  encode(value: TValue): Uint8Array;
  decode(bytes: Uint8Array): TValue;
}

/** What a topic carries: name, codec, optional schema and key. Made by `defineTopic`. */
export interface Topic<TValue, TInput = TValue> {
  readonly kind: "topic";
  readonly name: string;
  readonly codec: Codec<unknown>;
  /** Any Standard Schema; checks on both ways, publish and consume. */
  readonly schema: StandardSchemaV1 | undefined;
  /** The key of a value; `undefined` when the topic has no rule (then the publish option or no key). */
  readonly key: ((value: TInput) => string | Uint8Array | null) | undefined;
  /** Whether a `null` value is a tombstone (bypasses codec and schema) rather than a value. */
  readonly tombstones: boolean;
  /** Type carrier; never set. */
  readonly valueType?: TValue;
}
