import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Codec, Topic } from "../contracts/topic.ts";
import { BusConfigError } from "../errors/bus-error.ts";
import { bytesCodec, jsonCodec } from "./codecs.ts";

/** How a topic's values become messages. */
export interface TopicOptions<TInput> {
  /** The partition key of a value; same key, same partition, same order. */
  readonly key?: (value: TInput) => string | Uint8Array | null;
  /** @defaultValue `jsonCodec()` */
  readonly codec?: Codec<TInput>;
  /** Whether `null` values are tombstones, which bypass codec and schema. @defaultValue false */
  readonly tombstones?: boolean;
}

/**
 * Define a topic once, for publishers and handlers.
 *
 * @param name - The broker's topic name: 1 to 249 characters of `a-z A-Z 0-9 . _ -`.
 * @param options - With `schema` (any Standard Schema) values are checked on both ways and handlers receive its output.
 * @throws BusConfigError `BUS_CONFIG` for a name that no broker accepts.
 *
 * Source: topic names as Kafka restricts them (`org.apache.kafka.common.internals.Topic`).
 */
export function defineTopic<TInput, TValue>(
  name: string,
  options: TopicOptions<TInput> & { readonly schema: StandardSchemaV1<TInput, TValue> },
): Topic<TValue, TInput>;
export function defineTopic<TValue>(
  name: string,
  options: TopicOptions<TValue> & { readonly tombstones: true },
): Topic<TValue | null, TValue | null>;
export function defineTopic<TValue>(name: string, options?: TopicOptions<TValue>): Topic<TValue>;
export function defineTopic<TValue>(
  name: string,
  options: TopicOptions<TValue> & { readonly schema?: StandardSchemaV1 } = {},
): Topic<TValue> {
  checkTopicName(name);
  return Object.freeze({
    kind: "topic",
    name,
    codec: options.codec ?? jsonCodec<TValue>(),
    schema: options.schema,
    key: options.key,
    tombstones: options.tombstones ?? false,
  });
}

/** A topic named by a string carries bytes, tombstones included. */
export function bytesTopic(name: string): Topic<Uint8Array | null> {
  checkTopicName(name);
  return Object.freeze({
    kind: "topic",
    name,
    codec: bytesCodec(),
    schema: undefined,
    key: undefined,
    tombstones: true,
  });
}

function checkTopicName(name: string): void {
  const valid =
    typeof name === "string" &&
    /^[a-zA-Z0-9._-]{1,249}$/.test(name) &&
    name !== "." &&
    name !== "..";
  if (valid) return;
  throw new BusConfigError(
    "BUS_CONFIG",
    `topic name must be 1 to 249 of the characters a-z A-Z 0-9 . _ -, got ${JSON.stringify(name)}`,
    { details: { path: "topic", value: name } },
  );
}
