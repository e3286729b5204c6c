/** What the server says about a delivery in the subject on which it is acknowledged. */
export interface AckReply {
  /** Deliveries of this message by this consumer, this one included. */
  readonly deliveries: number;
  /** Place of the message in the stream. */
  readonly streamSequence: number;
  /** Place of the delivery among those of the consumer, without gaps. */
  readonly consumerSequence: number;
  /** When the stream stored the message, milliseconds since the Unix epoch. */
  readonly timestampMs: number;
}

/** Tokens before the numbers: `$JS.ACK.<stream>.<consumer>`, or with domain and account hash in between. */
const NUMBERS_AT = 4;
const NUMBERS_AT_WITH_DOMAIN = 6;
const TOKENS_WITHOUT_DOMAIN = 9;
const NANO_DIGITS = 6;

/**
 * Read `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<nanoseconds>.<pending>` or
 * `$JS.ACK.<domain>.<account>.<stream>.<consumer>.…`.
 *
 * @returns `undefined` when it is something else.
 *
 * Source: ADR-15 of nats-architecture-and-design.
 */
export function parseAckReply(reply: string): AckReply | undefined {
  if (!reply.startsWith("$JS.ACK.")) return undefined;
  const tokens = reply.split(".");
  const at = tokens.length === TOKENS_WITHOUT_DOMAIN ? NUMBERS_AT : NUMBERS_AT_WITH_DOMAIN;
  const nanos = tokens[at + 3];
  if (nanos === undefined) return undefined;
  return {
    deliveries: Number(tokens[at]),
    streamSequence: Number(tokens[at + 1]),
    consumerSequence: Number(tokens[at + 2]),
    // Nanoseconds do not fit into a number.
    timestampMs: Number(nanos.slice(0, -NANO_DIGITS)),
  };
}
