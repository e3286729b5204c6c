import type { Delivery } from "../contracts/delivery.ts";
import type { Message } from "../contracts/handler.ts";
import type { HeaderList } from "../contracts/message.ts";
import type { Topic } from "../contracts/topic.ts";
import { BusHandlerError } from "../errors/bus-error.ts";
import { checkSchema } from "../topics/check-schema.ts";

/** Decodes and validates; returns a promise only when the topic's schema is asynchronous. */
export type DecodeMessage = (delivery: Delivery) => Message<unknown> | Promise<Message<unknown>>;

const decoder = new TextDecoder();

/** The message that a handler sees: the decoded value, everything else read through to the delivery on demand. */
class DecodedMessage implements Message<unknown> {
  readonly #delivery: Delivery;
  readonly value: unknown;

  constructor(delivery: Delivery, value: unknown) {
    this.#delivery = delivery;
    this.value = value;
  }

  /** The delivery behind a message that a handler of this bus was given. */
  static deliveryOf(message: object): Delivery | undefined {
    return #delivery in message ? message.#delivery : undefined;
  }

  get topic(): string {
    return this.#delivery.topic;
  }

  get partition(): number {
    return this.#delivery.partition;
  }

  get offset(): bigint {
    return this.#delivery.offset;
  }

  get timestampMs(): number {
    return this.#delivery.timestampMs;
  }

  get key(): string | null {
    const bytes = this.#delivery.key;
    return bytes === null ? null : decoder.decode(bytes);
  }

  get keyBytes(): Uint8Array | null {
    return this.#delivery.key;
  }

  get headers(): HeaderList {
    return this.#delivery.headers;
  }
}

/** The delivery behind a message that a handler of this bus was given; `undefined` for any other object. */
export function deliveryOf(message: object): Delivery | undefined {
  return DecodedMessage.deliveryOf(message);
}

/**
 * Make the decoder of a topic.
 *
 * @throws BusHandlerError from the returned function: `BUS_DECODE` (codec, unexpected tombstone), `BUS_SCHEMA`.
 */
export function createDecoder(topic: Topic<unknown, never>): DecodeMessage {
  const { schema } = topic;
  if (schema === undefined)
    return (delivery) => new DecodedMessage(delivery, decodeValue(topic, delivery));
  return (delivery) => {
    const raw = decodeValue(topic, delivery);
    if (raw === null && topic.tombstones) return new DecodedMessage(delivery, null);
    const value = checkSchema(schema, raw, topic.name);
    if (value instanceof Promise)
      return value.then((settled: unknown) => new DecodedMessage(delivery, settled));
    return new DecodedMessage(delivery, value);
  };
}

function decodeValue(topic: Topic<unknown, never>, delivery: Delivery): unknown {
  const bytes = delivery.value;
  if (bytes === null) {
    if (topic.tombstones) return null;
    throw undecodable(
      delivery,
      "is a tombstone, but its topic is not defined with tombstones",
      undefined,
    );
  }
  try {
    return topic.codec.decode(bytes);
  } catch (error) {
    throw undecodable(delivery, "could not be decoded", error);
  }
}

function undecodable(delivery: Delivery, what: string, cause: unknown): BusHandlerError {
  const { topic, partition, offset } = delivery;
  return new BusHandlerError("BUS_DECODE", `message ${topic}/${partition}@${offset} ${what}`, {
    details: { topic, partition, offset },
    cause,
  });
}
