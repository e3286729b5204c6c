/** Every code of a `BusError`: whether trying again can help, and what it means. `docs/errors.md` is generated from it. */
export const ERROR_CODES = {
  BUS_CONFIG: {
    retryable: false,
    summary: "an option, name or combination is wrong; nothing was done",
  },
  BUS_UNSUPPORTED: {
    retryable: false,
    summary: "the chosen transport or client cannot do what was asked",
  },
  BUS_SERVICE_MISSING: {
    retryable: false,
    summary: "a plugin needs a service that no installed plugin provides",
  },
  BUS_CLOSED: { retryable: false, summary: "the bus or transport is closing or closed" },
  BUS_ABORTED: {
    retryable: false,
    summary: "the caller's signal aborted before the work was done",
  },
  BUS_CONNECT: { retryable: true, summary: "the broker could not be reached within the deadline" },
  BUS_AUTHENTICATION: {
    retryable: false,
    summary: "the broker refused the credentials or the certificate",
  },
  BUS_AUTHORIZATION: {
    retryable: false,
    summary: "the broker refused access to a topic, group or cluster operation",
  },
  BUS_TOPIC_MISSING: { retryable: false, summary: "the topic does not exist" },
  BUS_TOPIC_DRIFT: { retryable: false, summary: "the topic exists but is not as configured" },
  BUS_NO_OFFSET: {
    retryable: false,
    summary: "the group has no committed offset and the start position is none",
  },
  BUS_TRANSPORT: {
    retryable: true,
    summary: "the broker or the network failed; the operation may be tried again",
  },
  BUS_BROKER_REJECTED: { retryable: false, summary: "the broker refused the request for good" },
  BUS_OUTCOME_UNKNOWN: {
    retryable: true,
    summary: "the deadline passed after hand-over; the message may or may not be stored",
  },
  BUS_PUBLISH_FAILED: { retryable: true, summary: "the message was not stored" },
  BUS_PUBLISH_PARTIAL: {
    retryable: true,
    summary: "some messages of the call were not stored; details.outcomes tells which",
  },
  BUS_BUFFER_FULL: { retryable: true, summary: "the publish buffer is full and onFull is reject" },
  BUS_MESSAGE_TOO_LARGE: {
    retryable: false,
    summary: "the message exceeds the size limit; it was not sent",
  },
  BUS_INVALID_MESSAGE: {
    retryable: false,
    summary: "the message cannot be published as it is: wrong type of key, value or header",
  },
  BUS_ENCODE: { retryable: false, summary: "the codec could not encode the value" },
  BUS_DECODE: { retryable: false, summary: "the codec could not decode the bytes" },
  BUS_SCHEMA: {
    retryable: false,
    summary: "the value does not satisfy the topic's schema; details.issues tells why",
  },
  BUS_CORRUPT: {
    retryable: false,
    summary: "bytes from the broker are not what the protocol says",
  },
  BUS_FENCED: { retryable: false, summary: "another owner took over; this one's results are void" },
  BUS_HANDLER: { retryable: true, summary: "the handler failed" },
  BUS_HANDLER_TIMEOUT: { retryable: true, summary: "the handler exceeded its processing deadline" },
  BUS_DEAD_LETTER: {
    retryable: true,
    summary: "the dead letter could not be stored; the message is held",
  },
  BUS_PLUGIN: {
    retryable: false,
    summary: "a plugin failed while it was installed, started or closed",
  },
  BUS_HEALTH_CHECK: { retryable: true, summary: "a health check failed or hung" },
} as const;

/** The closed set of error codes. */
export type ErrorCode = keyof typeof ERROR_CODES;
