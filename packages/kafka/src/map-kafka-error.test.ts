import { expect, test } from "vitest";
import { brokerError, clientError, connectionError, credentialsError } from "./map-kafka-error.ts";

test.each([
  [3, "BUS_TOPIC_MISSING", false],
  [6, "BUS_TRANSPORT", true],
  [10, "BUS_MESSAGE_TOO_LARGE", false],
  [19, "BUS_TRANSPORT", true],
  [22, "BUS_FENCED", false],
  [25, "BUS_FENCED", false],
  [27, "BUS_FENCED", false],
  [29, "BUS_AUTHORIZATION", false],
  [35, "BUS_UNSUPPORTED", false],
  [87, "BUS_BROKER_REJECTED", false],
] as const)("code %i of the broker is %s", (kafkaCode, code, retryable) => {
  const cause = new Error("as the client said it");
  const error = brokerError(kafkaCode, {
    doing: "publishing to orders[3]",
    details: { topic: "orders" },
    cause,
  });
  expect(error).toMatchObject({ code, retryable, cause });
  expect(error.details).toMatchObject({ topic: "orders" });
  expect(error.message).toMatch(/^publishing to orders\[3\] failed: the broker answered [A-Z_]+$/u);
});

test.each([33, 34, 58])(
  "code %i of the broker is about the credentials, and names their option",
  (kafkaCode) => {
    const error = brokerError(kafkaCode, { doing: "connecting", cause: new Error("why") });
    expect(error).toMatchObject({ code: "BUS_AUTHENTICATION", details: { path: "net.sasl" } });
    expect(error.message).toBe(
      "connecting failed: the broker refused the credentials in net.sasl: why",
    );
  },
);

test("the broker's own name of the code is kept, and a code that is not known may be tried again", () => {
  expect(brokerError(6, { doing: "x" }).details["brokerCode"]).toBe("NOT_LEADER_OR_FOLLOWER");
  const unknown = brokerError(9_999, { doing: "x", hint: "update the client" });
  expect(unknown).toMatchObject({ code: "BUS_TRANSPORT", retryable: true });
  expect(unknown.message).toBe("x failed: the broker answered KAFKA_ERROR_9999; update the client");
});

test.each([
  ["ECONNREFUSED", "BUS_CONNECT"],
  ["ENOTFOUND", "BUS_CONNECT"],
  [undefined, "BUS_CONNECT"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "BUS_AUTHENTICATION"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "BUS_AUTHENTICATION"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "BUS_AUTHENTICATION"],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "BUS_AUTHENTICATION"],
  ["CERT_HAS_EXPIRED", "BUS_AUTHENTICATION"],
] as const)("a connection that fails with %s is %s", (systemCode, code) => {
  const error = connectionError(systemCode, {
    doing: "connecting to a:1",
    cause: new Error("why"),
  });
  expect(error.code).toBe(code);
  expect(error.message).toContain("why");
  expect(error.message.includes("net.tls")).toBe(code === "BUS_AUTHENTICATION");
});

test("refused credentials name the option, an unexplained failure may be tried again", () => {
  const cause = new Error("invalid credentials");
  expect(credentialsError({ doing: "connecting", cause })).toMatchObject({
    code: "BUS_AUTHENTICATION",
    message:
      "connecting failed: the broker refused the credentials in net.sasl: invalid credentials",
    details: { path: "net.sasl" },
  });
  expect(clientError({ doing: "asking", cause })).toMatchObject({
    code: "BUS_TRANSPORT",
    retryable: true,
  });
});
