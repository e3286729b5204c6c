import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import { mapKafkajsError } from "./map-kafkajs-error.ts";

/** An error as kafkajs makes it: told by its name and fields. */
function kafkajsError(name: string, fields: Readonly<Record<string, unknown>> = {}): Error {
  return Object.assign(new Error(`${name} happened`), { name }, fields);
}

const unknownTopic = kafkajsError("KafkaJSProtocolError", {
  code: 3,
  type: "UNKNOWN_TOPIC_OR_PARTITION",
});
const refused = kafkajsError("KafkaJSConnectionError", { code: "ECONNREFUSED" });

test.each([
  [unknownTopic, "BUS_TOPIC_MISSING"],
  [kafkajsError("KafkaJSNumberOfRetriesExceeded", { cause: unknownTopic }), "BUS_TOPIC_MISSING"],
  [
    kafkajsError("KafkaJSNonRetriableError", {
      cause: kafkajsError("KafkaJSError", { cause: unknownTopic }),
    }),
    "BUS_TOPIC_MISSING",
  ],
  [
    kafkajsError("KafkaJSAggregateError", {
      errors: [kafkajsError("KafkaJSCreateTopicError", { code: 36 })],
    }),
    "BUS_BROKER_REJECTED",
  ],
  [refused, "BUS_CONNECT"],
  [kafkajsError("KafkaJSNumberOfRetriesExceeded", { cause: refused }), "BUS_CONNECT"],
  [kafkajsError("KafkaJSConnectionClosedError"), "BUS_CONNECT"],
  [kafkajsError("KafkaJSRequestTimeoutError"), "BUS_CONNECT"],
  [
    kafkajsError("KafkaJSConnectionError", { code: "SELF_SIGNED_CERT_IN_CHAIN" }),
    "BUS_AUTHENTICATION",
  ],
  [kafkajsError("KafkaJSSASLAuthenticationError"), "BUS_AUTHENTICATION"],
  [
    kafkajsError("KafkaJSNonRetriableError", {
      cause: kafkajsError("KafkaJSSASLAuthenticationError"),
    }),
    "BUS_AUTHENTICATION",
  ],
  [kafkajsError("KafkaJSProtocolError", { code: 25 }), "BUS_FENCED"],
  [kafkajsError("KafkaJSNonRetriableError"), "BUS_TRANSPORT"],
  ["not an error", "BUS_TRANSPORT"],
])("%s is %s", (error, code) => {
  const mapped = mapKafkajsError(error, { doing: "doing this", details: { topic: "t" } });
  expect(mapped).toMatchObject({ code, cause: error });
  expect(mapped.message).toMatch(/^doing this failed: /u);
});

test("an error of ours that came through kafkajs comes out as it was", () => {
  const ours = new BusTransportError("BUS_NO_OFFSET", "no committed offset");
  const wrapped = kafkajsError("KafkaJSNumberOfRetriesExceeded", {
    cause: kafkajsError("KafkaJSError", { cause: ours }),
  });
  expect(mapKafkajsError(wrapped, { doing: "x" })).toBe(ours);
});

test("causes that go round in a circle end", () => {
  const circular = kafkajsError("KafkaJSError");
  circular.cause = circular;
  expect(mapKafkajsError(circular, { doing: "x" }).code).toBe("BUS_TRANSPORT");
});
