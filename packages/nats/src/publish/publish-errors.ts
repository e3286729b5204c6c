import { BusTransportError } from "@bus/core";
import type { OutgoingMessage } from "@bus/core";

/** Error codes of JetStream that publishing tells apart (`errors.json` of nats-server). */
const STREAM_STORE_FAILED = 10_077;
const MESSAGE_TOO_LARGE = 10_054;

/** The stream cannot be written now, as while it has no leader: nothing was stored, and it will pass. */
const PASSING = new Set([
  10_008, // JetStream system temporarily unavailable
  10_009, // not the leader
  10_023, // insufficient resources
  10_039, // JetStream not enabled for account, as a server says that recovers
  10_076, // JetStream not enabled, likewise
  10_167, // too many requests
]);
/** A copy of the message is being stored. */
const IN_PROCESS = 10_158;
/** The answer to a question about a message that is not stored: no stream does what the question asks for. */
const ROLLUP_FAILED = 10_111;

/** What an error of the stream means for a transmission. */
export type Refusal = "passing" | "unknown" | "final";

/** What an error of the stream means for a message that was sent. */
export function refusalOf(errorCode: number): Refusal {
  if (errorCode === IN_PROCESS) return "unknown";
  return PASSING.has(errorCode) ? "passing" : "final";
}

/** Whether an error of the stream, the answer to a question, says that the message is not stored. */
export function saysNotStored(errorCode: number): boolean {
  return errorCode === ROLLUP_FAILED;
}

/** The stream refused a message for a reason that trying again does not mend by itself. */
export function rejectedError(
  { topic }: OutgoingMessage,
  errorCode: number,
  description: string,
): BusTransportError {
  const details = { topic, errorCode };
  if (errorCode === STREAM_STORE_FAILED)
    return new BusTransportError(
      "BUS_PUBLISH_FAILED",
      `the stream did not store a message for ${topic}: ${description}`,
      { details },
    );
  return new BusTransportError(
    errorCode === MESSAGE_TOO_LARGE ? "BUS_MESSAGE_TOO_LARGE" : "BUS_BROKER_REJECTED",
    `the stream refused a message for ${topic}: ${description}`,
    { details },
  );
}

/** A message is too large for the server; it was not sent. */
export function tooLargeError(
  { topic }: OutgoingMessage,
  sizeBytes: number,
  maxPayloadBytes: number,
): BusTransportError {
  return new BusTransportError(
    "BUS_MESSAGE_TOO_LARGE",
    `a message of ${sizeBytes} bytes with its headers for ${topic} exceeds the server's max_payload (${maxPayloadBytes})`,
    { details: { topic, sizeBytes, maxPayloadBytes } },
  );
}

/** The buffer has no room, and the options say to refuse. */
export function bufferFullError(
  { topic }: OutgoingMessage,
  { pendingMessages, pendingBytes }: { pendingMessages: number; pendingBytes: number },
): BusTransportError {
  return new BusTransportError(
    "BUS_BUFFER_FULL",
    `${pendingMessages} messages of ${pendingBytes} bytes wait for the stream: the bounds are publish.maxPendingMessages and publish.maxPendingBytes`,
    { details: { topic, pendingMessages, pendingBytes } },
  );
}

/** The deadline passed, and the message is not stored. */
export function lateError({ topic }: OutgoingMessage, timeoutMs: number): BusTransportError {
  return new BusTransportError(
    "BUS_PUBLISH_FAILED",
    `no stream took a message for ${topic} within ${timeoutMs} ms`,
    { details: { topic, timeoutMs } },
  );
}

/** The deadline passed, or the pipeline closed, while it was open whether the message is stored. */
export function unknownError({ topic }: OutgoingMessage): BusTransportError {
  return new BusTransportError(
    "BUS_OUTCOME_UNKNOWN",
    `a message for ${topic} was sent and not acknowledged in time: it may or may not be stored`,
    { details: { topic } },
  );
}

/** Sending the message again would put it behind a later one of its key. */
export function overtakenError({ topic }: OutgoingMessage): BusTransportError {
  return new BusTransportError(
    "BUS_PUBLISH_FAILED",
    `a message for ${topic} was lost on its way, and a later one of its key is stored: it was not sent again, to keep their order`,
    { details: { topic, reason: "overtaken" } },
  );
}
