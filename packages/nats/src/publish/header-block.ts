import type { HeaderList, OutgoingMessage } from "@bus/core";

/** What a header block says about a message, beside its subject and payload. */
export interface DecodedHeaderBlock {
  readonly headers: HeaderList;
  readonly key: Uint8Array | null;
  readonly isTombstone: boolean;
  /** What the publisher said, milliseconds since the Unix epoch; `undefined` when it left that to the server. */
  readonly timestampMs: number | undefined;
}

/** The header whose value the stream knows a message by within its duplicate window. */
export const MESSAGE_ID_HEADER = "Nats-Msg-Id";

const FIRST_LINE = "NATS/1.0\r\n";
const IMPOSSIBLE = "Nats-Rollup: none";
const KEY = "Bus-Key";
const BEGIN = `${FIRST_LINE}${MESSAGE_ID_HEADER}: `;
const BEGIN_BYTES = Buffer.from(BEGIN);
const KEY_BYTES = Buffer.from(`${KEY}: `);
const TOMBSTONE = "Bus-Tombstone";
const TIMESTAMP = "Bus-Timestamp";
/** Says that names and values of this block are percent-encoded where they need it. */
const ESCAPED = "Bus-Escaped";
const OWN_NAME = /^(?:bus-(?:key|tombstone|timestamp|escaped)$|nats-)/i;
/** A name that means nothing to the server or to @bus, in characters that need no escaping. */
const PLAIN_NAME = /^(?!bus-(?:key|tombstone|timestamp|escaped)$|nats-)[!-9;-~]+$/i;
/** Bytes that are copied one by one. */
const SHORT_BYTES = 64;
const TO_ESCAPE = /[^!-$&-9;-~]/g;
const OWN_TO_ESCAPE = /^./;

const SPACE = 0x20;
const DELETE = 0x7f;
const PERCENT = 0x25;
const COLON = 0x3a;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Write the header block of a message: its id, key, marks and headers, in order.
 *
 * A header is written as it is when NATS can carry it so. Otherwise (bytes that are not printable ASCII, white space at
 * an end, a name that the server or @bus gives a meaning) the names and values of the whole block are percent-encoded and `Bus-Escaped` says so.
 *
 * @param messageId - Not written when the message has a header `Nats-Msg-Id` of its own.
 *
 * Source: ADR-4, NATS message headers.
 */
export function encodeHeaderBlock(message: OutgoingMessage, messageId: string): Uint8Array {
  const { headers, key, value, timestampMs } = message;
  let isEscaped = false;
  let ownId: Uint8Array | undefined;
  let valuesBytes = 0;
  for (const [name, bytes] of headers) {
    if (name === MESSAGE_ID_HEADER) ownId = bytes.length > 0 ? bytes : ownId;
    else if (PLAIN_NAME.test(name) && isPlain(bytes)) valuesBytes += name.length + bytes.length + 4;
    else isEscaped = true;
  }
  let marks = value === null ? `${TOMBSTONE}: 1\r\n` : "";
  if (timestampMs !== undefined) marks += `${TIMESTAMP}: ${timestampMs}\r\n`;
  if (isEscaped || ownId !== undefined || (key !== null && !isPlainKey(key)))
    return encodeEscaped(message, {
      id: ownId === undefined ? messageId : plainId(ownId),
      marks,
      isEscaped,
    });
  const keyBytes = key === null ? 0 : KEY_BYTES.length + key.length + 2;
  const fixedBytes = BEGIN_BYTES.length + messageId.length + 2 + marks.length + 2;
  const bytes = Buffer.allocUnsafe(fixedBytes + keyBytes + valuesBytes);
  let at = putText(bytes, putBytes(bytes, 0, BEGIN_BYTES), messageId);
  at = putText(bytes, putLineEnd(bytes, at), marks);
  if (key !== null) at = putLineEnd(bytes, putBytes(bytes, putBytes(bytes, at, KEY_BYTES), key));
  for (const [name, headerValue] of headers) {
    if (name === MESSAGE_ID_HEADER) continue;
    at = putText(bytes, at, name);
    bytes[at] = COLON;
    bytes[at + 1] = SPACE;
    at = putLineEnd(bytes, putBytes(bytes, at + 2, headerValue));
  }
  putLineEnd(bytes, at);
  return bytes;
}

/**
 * A header block that asks whether a message with this id is stored, without storing anything: a stream that knows the
 * id answers as for a duplicate, any other refuses a roll-up of a kind that does not exist.
 *
 * It has to be something that streams look at after ids. An expected last sequence is looked at before them by
 * nats-server 2.15.2 without replicas, and an expected last id ends a replicated stream of that version
 * (`critical write error: last msgid mismatch`).
 */
export function encodeQuestion(messageId: string): Uint8Array {
  return Buffer.from(
    `${FIRST_LINE}${MESSAGE_ID_HEADER}: ${messageId}\r\n${IMPOSSIBLE}\r\n\r\n`,
    "latin1",
  );
}

/** The id that a block made by `encodeHeaderBlock` carries. */
export function messageIdOf(message: OutgoingMessage, messageId: string): string {
  const own = message.headers.findLast(
    ([name, value]) => name === MESSAGE_ID_HEADER && value.length > 0,
  );
  return own === undefined ? messageId : plainId(own[1]);
}

/**
 * Read a header block. Headers that are the server's own (`Nats-…`, the message id among them) are left out: passed on with a
 * copy of the message, they would make the stream take the copy for a duplicate.
 *
 * @param block - From `NATS/1.0` on; values in the result may be views into it.
 */
export function decodeHeaderBlock(block: Uint8Array): DecodedHeaderBlock {
  const lines = readLines(block);
  const isEscaped = lines.some(([name]) => name === ESCAPED);
  const headers: (readonly [string, Uint8Array])[] = [];
  let key: Uint8Array | null = null;
  let isTombstone = false;
  let timestampMs: number | undefined;
  for (const [name, value] of lines) {
    if (name === KEY) key = unescapeBytes(value);
    else if (name === TOMBSTONE) isTombstone = true;
    else if (name === TIMESTAMP) timestampMs = Number(latin1(value));
    else if (OWN_NAME.test(name)) continue;
    else if (isEscaped) headers.push([unescapeName(name), unescapeBytes(value)]);
    else headers.push([name, value]);
  }
  return { headers, key, isTombstone, timestampMs };
}

function encodeEscaped(
  { key, headers }: OutgoingMessage,
  { id, marks, isEscaped }: { id: string; marks: string; isEscaped: boolean },
): Uint8Array {
  let block = `${BEGIN}${id}\r\n${marks}`;
  if (key !== null) block += `${KEY}: ${isPlainKey(key) ? latin1(key) : escapeBytes(key)}\r\n`;
  if (isEscaped) block += `${ESCAPED}: 1\r\n`;
  for (const [name, bytes] of headers) {
    if (name === MESSAGE_ID_HEADER) continue;
    block += isEscaped
      ? `${escapeName(name)}: ${escapeBytes(bytes)}\r\n`
      : `${name}: ${latin1(bytes)}\r\n`;
  }
  return Buffer.from(`${block}\r\n`, "latin1");
}

// What is written here is short: loops are several times faster than calls into the runtime.
function putText(target: Uint8Array, from: number, text: string): number {
  for (let index = 0; index < text.length; index += 1)
    target[from + index] = text.charCodeAt(index);
  return from + text.length;
}

function putBytes(target: Uint8Array, from: number, bytes: Uint8Array): number {
  if (bytes.length > SHORT_BYTES) target.set(bytes, from);
  else
    for (let index = 0; index < bytes.length; index += 1) target[from + index] = bytes[index] ?? 0;
  return from + bytes.length;
}

function putLineEnd(target: Uint8Array, from: number): number {
  target[from] = CARRIAGE_RETURN;
  target[from + 1] = LINE_FEED;
  return from + 2;
}

function readLines(block: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  const lines: (readonly [string, Uint8Array])[] = [];
  let start = block.indexOf(LINE_FEED) + 1;
  while (start > 0 && start < block.length) {
    const end = block.indexOf(LINE_FEED, start);
    if (end < 0) break;
    const colon = block.indexOf(COLON, start);
    if (colon > start && colon < end) {
      const from = block[colon + 1] === SPACE ? colon + 2 : colon + 1;
      lines.push([latin1(block.subarray(start, colon)), block.subarray(from, end - 1)]);
    }
    start = end + 1;
  }
  return lines;
}

function isPlain(value: Uint8Array): boolean {
  const { length } = value;
  for (let index = 0; index < length; index += 1) {
    const byte = value[index] ?? 0;
    if (byte < SPACE || byte >= DELETE) return false;
  }
  return value[0] !== SPACE && value[length - 1] !== SPACE;
}

function plainId(id: Uint8Array): string {
  return isPlain(id) ? latin1(id) : escapeBytes(id);
}

function isPlainKey(key: Uint8Array): boolean {
  return isPlain(key) && !key.includes(PERCENT);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** Percent-encode UTF-8; the first character of a name that has a meaning too, so that it loses that meaning on the wire. */
function escapeName(name: string): string {
  const utf8 = latin1(Buffer.from(name, "utf8"));
  const escaped = utf8.replace(TO_ESCAPE, percent);
  return OWN_NAME.test(name) ? escaped.replace(OWN_TO_ESCAPE, percent) : escaped;
}

function escapeBytes(bytes: Uint8Array): string {
  return latin1(bytes).replace(TO_ESCAPE, percent);
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

function unescapeName(name: string): string {
  return unescapeText(name).toString("utf8");
}

function unescapeBytes(bytes: Uint8Array): Uint8Array {
  return bytes.includes(PERCENT) ? unescapeText(latin1(bytes)) : bytes;
}

function unescapeText(text: string): Buffer {
  const plain = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(plain, "latin1");
}
