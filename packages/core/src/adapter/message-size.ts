import type { OutgoingMessage } from "../contracts/message.ts";

/** The size of a message as limits and the in-flight gate count it: bytes of key, value, header names (UTF-8) and header values. */
export function messageSizeBytes(
  message: Pick<OutgoingMessage, "key" | "value" | "headers">,
): number {
  let bytes = (message.key?.length ?? 0) + (message.value?.length ?? 0);
  for (const [name, value] of message.headers) bytes += Buffer.byteLength(name) + value.length;
  return bytes;
}
