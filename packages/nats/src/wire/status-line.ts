import type { LinkMessage } from "../client/nats-link.ts";

/** `NATS/1.0 ` before the status. */
const STATUS_AT = 9;
const SPACE = 0x20;

/**
 * The status of a message that carries no message: 100 idle heartbeat, 404, 408, 409, 503; 0 for one that does.
 *
 * Source: ADR-4 and ADR-13 of nats-architecture-and-design.
 */
export function statusOf(message: LinkMessage): number {
  if (message.data.length > 0) return 0;
  const bytes = message.headerBytes;
  if (bytes === undefined || bytes[STATUS_AT - 1] !== SPACE) return 0;
  return (
    digit(bytes[STATUS_AT]) * 100 + digit(bytes[STATUS_AT + 1]) * 10 + digit(bytes[STATUS_AT + 2])
  );
}

/** The words behind the status, for example `Consumer Deleted`. */
export function statusTextOf(message: LinkMessage): string {
  const line = textOf(message).split("\r\n", 1)[0] ?? "";
  return line.slice(STATUS_AT + 4).trim();
}

/** A number in a header of a status message; 0 when it is not there. */
export function statusNumber(message: LinkMessage, name: string): number {
  const found = textOf(message)
    .split("\r\n")
    .find((line) => line.startsWith(`${name}:`));
  return found === undefined ? 0 : Number(found.slice(name.length + 1));
}

/** Whether the answer says that nobody listens to the subject. */
export function isNoResponders(message: LinkMessage): boolean {
  return statusOf(message) === 503;
}

function textOf({ headerBytes }: LinkMessage): string {
  if (headerBytes === undefined) return "";
  return Buffer.from(headerBytes.buffer, headerBytes.byteOffset, headerBytes.length).toString(
    "latin1",
  );
}

function digit(code: number | undefined): number {
  return code === undefined ? 0 : code - 0x30;
}
