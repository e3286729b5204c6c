import type { HeaderList, OutgoingMessage } from "../contracts/message.ts";
import type { Topic } from "../contracts/topic.ts";
import { BusConfigError, BusError } from "../errors/bus-error.ts";
import { checkSchema } from "../topics/check-schema.ts";

/** Headers as publishers write them: by name, or as a list where order and duplicates matter. */
export type HeaderInput =
  | Readonly<Record<string, string | Uint8Array>>
  | readonly (readonly [name: string, value: string | Uint8Array])[];

/** How one message is published. */
export interface PublishOptions {
  /** Overrides the topic's key rule. */
  readonly key?: string | Uint8Array | null;
  readonly headers?: HeaderInput;
  /** Overrides the key hash. */
  readonly partition?: number;
  /** Milliseconds since the Unix epoch. @defaultValue the transport's clock */
  readonly timestampMs?: number;
  /** Gives up waiting; a message already handed over may still be stored (`BUS_OUTCOME_UNKNOWN`). */
  readonly signal?: AbortSignal;
}

const encoder = new TextEncoder();
const NO_HEADERS: HeaderList = Object.freeze([]);

/**
 * Turn a value into a message: schema, key, codec, headers.
 *
 * @returns The message, as a promise only when the topic's schema is asynchronous.
 * @throws BusConfigError `BUS_ENCODE`, `BUS_INVALID_MESSAGE`; BusHandlerError `BUS_SCHEMA`. Nothing was sent.
 */
export function encodeMessage<TInput>(
  topic: Topic<unknown, TInput>,
  value: TInput,
  options: PublishOptions,
): OutgoingMessage | Promise<OutgoingMessage> {
  if (value === null && topic.tombstones)
    return assemble(topic, { key: options.key ?? null, value: null }, options);
  if (topic.schema === undefined) return encodeValue(topic, value, options);
  // The schema decides whether the value may be published; what goes over the wire is what the caller gave.
  const checked = checkSchema(topic.schema, value, topic.name);
  if (checked instanceof Promise) return checked.then(() => encodeValue(topic, value, options));
  return encodeValue(topic, value, options);
}

function encodeValue<TInput>(
  topic: Topic<unknown, TInput>,
  value: TInput,
  options: PublishOptions,
): OutgoingMessage {
  try {
    const key = options.key === undefined ? (topic.key?.(value) ?? null) : options.key;
    return assemble(topic, { key, value: topic.codec.encode(value) }, options);
  } catch (error) {
    if (BusError.is(error)) throw error;
    throw new BusConfigError("BUS_ENCODE", `a value of topic ${topic.name} could not be encoded`, {
      details: { topic: topic.name },
      cause: error,
    });
  }
}

interface EncodedParts {
  readonly key: string | Uint8Array | null;
  readonly value: Uint8Array | null;
}

function assemble(
  topic: Topic<unknown, never>,
  parts: EncodedParts,
  options: PublishOptions,
): OutgoingMessage {
  if (parts.value !== null && !(parts.value instanceof Uint8Array)) {
    throw invalid(topic.name, "the codec must return a Uint8Array", parts.value);
  }
  const message = {
    topic: topic.name,
    key: bytesOf(parts.key, topic.name, "key"),
    value: parts.value,
    headers:
      options.headers === undefined ? NO_HEADERS : encodeHeaders(options.headers, topic.name),
  };
  if (options.partition === undefined && options.timestampMs === undefined) return message;
  return {
    ...message,
    ...(options.partition === undefined
      ? {}
      : { partition: checkInteger(options.partition, topic.name, "partition") }),
    ...(options.timestampMs === undefined
      ? {}
      : { timestampMs: checkInteger(options.timestampMs, topic.name, "timestampMs") }),
  };
}

function encodeHeaders(headers: HeaderInput, topic: string): HeaderList {
  const entries: readonly (readonly [string, string | Uint8Array])[] = isHeaderEntries(headers)
    ? headers
    : Object.entries(headers);
  return entries.map(([name, value]) => {
    if (typeof name !== "string" || name === "")
      throw invalid(topic, "a header name must be a non-empty string", name);
    const bytes = bytesOf(value, topic, `header ${name}`);
    if (bytes === null) throw invalid(topic, `header ${name} must be a string or bytes`, value);
    return [name, bytes] as const;
  });
}

function isHeaderEntries(
  headers: HeaderInput,
): headers is readonly (readonly [string, string | Uint8Array])[] {
  return Array.isArray(headers);
}

function bytesOf(
  value: string | Uint8Array | null,
  topic: string,
  what: string,
): Uint8Array | null {
  if (typeof value === "string") return encoder.encode(value);
  if (value === null || value instanceof Uint8Array) return value;
  throw invalid(topic, `${what} must be a string or bytes`, value);
}

function checkInteger(value: number, topic: string, what: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(topic, `${what} must be an integer of at least 0`, value);
}

function invalid(topic: string, rule: string, value: unknown): BusConfigError {
  return new BusConfigError(
    "BUS_INVALID_MESSAGE",
    `${rule}, got ${typeof value} (topic ${topic})`,
    {
      details: { topic, value },
    },
  );
}
