import { BusHandlerError } from "@bus/core";
import type { IncomingMessage } from "@bus/core";

/**
 * Tells which aggregate a message belongs to, from what is known before it is decoded.
 *
 * @returns The id; `undefined`, `null` or the empty string when it belongs to none.
 */
export type AggregateIdExtractor = (message: IncomingMessage) => string | null | undefined;

/** Where the id of an aggregate is looked up. */
export type AggregateIdSource = "header" | "key";

/** How ids are found without an extractor. */
export interface AggregateIdRule {
  /** In this order; the first that has one wins. */
  readonly sources: readonly AggregateIdSource[];
  /** Name of the header. */
  readonly header: string;
}

/** Ids of plain bytes up to this length are read through a buffer that is there already. */
const SCRATCH_BYTES = 64;

/** Ends the scope in a lane's key; no byte, so that it is no part of an id. */
const SCOPE_END = "\u0100";
// oxlint-disable-next-line no-control-regex -- ASCII begins with the control characters
const ASCII = /^[\x00-\x7f]*$/;

/**
 * Make the function that gives a message its lane key: the scope, then the id's UTF-8 bytes as latin-1 text. Ids from
 * keys, headers and extractors so become the same text, and the bytes of a key need no decoding.
 *
 * @param scope - Sets apart what must not share lanes; empty for the first scope, which so costs nothing.
 * @returns Empty text for a message without an id. Throws what the extractor throws.
 */
export function createLaneKey(
  scope: string,
  extractor: AggregateIdExtractor | undefined,
  rule: AggregateIdRule,
): (message: IncomingMessage) => string {
  const idOf = extractor === undefined ? ruleFunction(rule) : extractorFunction(extractor);
  if (scope === "") return idOf;
  const prefix = scope + SCOPE_END;
  return (message) => {
    const id = idOf(message);
    return id === "" ? "" : prefix + id;
  };
}

/** The aggregate id in a lane key, as text. */
export function aggregateIdOf(laneKey: string): string {
  return Buffer.from(laneKey.slice(laneKey.indexOf(SCOPE_END) + 1), "latin1").toString("utf8");
}

function ruleFunction({ sources, header }: AggregateIdRule): (message: IncomingMessage) => string {
  const textOf = byteText();
  const finders = sources.map((source) =>
    source === "key" ? idInKey(textOf) : idInHeader(header, textOf),
  );
  const [only, ...others] = finders;
  if (only !== undefined && others.length === 0) return only;
  return (message) => {
    for (const find of finders) {
      const id = find(message);
      if (id !== "") return id;
    }
    return "";
  };
}

function idInKey(textOf: ByteText): (message: IncomingMessage) => string {
  return ({ key }) => (key === null ? "" : textOf(key));
}

function idInHeader(header: string, textOf: ByteText): (message: IncomingMessage) => string {
  return ({ headers }) => {
    for (const [name, value] of headers) if (name === header) return textOf(value);
    return "";
  };
}

function extractorFunction(extractor: AggregateIdExtractor): (message: IncomingMessage) => string {
  return (message) => {
    const id: unknown = extractor(message);
    if (id === null || id === undefined) return "";
    if (typeof id === "string") return textAsBytes(id);
    throw new BusHandlerError(
      "BUS_HANDLER",
      `aggregateIdExtractor must return a string, null or undefined, got ${typeof id}`,
      {
        details: { topic: message.topic, partition: message.partition, offset: message.offset },
      },
    );
  };
}

type ByteText = (bytes: Uint8Array) => string;

/** One character per byte: as distinct as the bytes, and several times cheaper than decoding them. */
function byteText(): ByteText {
  // Copying a short id costs less than the buffer object that a view of it would need.
  const scratch = Buffer.alloc(SCRATCH_BYTES);
  return (bytes) => {
    if (bytes instanceof Buffer) return bytes.toString("latin1");
    const { length } = bytes;
    if (length > SCRATCH_BYTES)
      return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("latin1");
    for (let index = 0; index < length; index++) scratch[index] = bytes[index] ?? 0;
    return scratch.toString("latin1", 0, length);
  };
}

function textAsBytes(id: string): string {
  return ASCII.test(id) ? id : Buffer.from(id, "utf8").toString("latin1");
}
