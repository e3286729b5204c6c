import { BusTransportError } from "@bus/core";
import type { ErrorCode } from "@bus/core";
import { describe, expect, it } from "vitest";
import { mapConfluentError, refusalInLog } from "./map-confluent-error.ts";

/** An error as the client makes it. */
function native(code: number, message = "it failed"): Error {
  return Object.assign(new Error(message), { code });
}

const CODES: readonly (readonly [native: number, code: ErrorCode])[] = [
  [-199, "BUS_CORRUPT"],
  [-195, "BUS_CONNECT"],
  [-193, "BUS_CONNECT"],
  [-192, "BUS_OUTCOME_UNKNOWN"],
  [-190, "BUS_PUBLISH_FAILED"],
  [-188, "BUS_TOPIC_MISSING"],
  [-187, "BUS_CONNECT"],
  [-186, "BUS_CONFIG"],
  [-185, "BUS_TRANSPORT"],
  [-184, "BUS_BUFFER_FULL"],
  [-181, "BUS_AUTHENTICATION"],
  [-172, "BUS_FENCED"],
  [-169, "BUS_AUTHENTICATION"],
  [-165, "BUS_UNSUPPORTED"],
  [-152, "BUS_PUBLISH_FAILED"],
  [-151, "BUS_OUTCOME_UNKNOWN"],
  [-147, "BUS_FENCED"],
  [-144, "BUS_FENCED"],
  [-142, "BUS_FENCED"],
  [-140, "BUS_NO_OFFSET"],
  [-1, "BUS_TRANSPORT"],
  [3, "BUS_TOPIC_MISSING"],
  [10, "BUS_MESSAGE_TOO_LARGE"],
  [12, "BUS_BROKER_REJECTED"],
  [22, "BUS_FENCED"],
  [25, "BUS_FENCED"],
  [29, "BUS_AUTHORIZATION"],
  [30, "BUS_AUTHORIZATION"],
  [58, "BUS_AUTHENTICATION"],
  [90, "BUS_FENCED"],
  [110, "BUS_FENCED"],
  [112, "BUS_UNSUPPORTED"],
  [113, "BUS_FENCED"],
];

describe("mapConfluentError", () => {
  for (const [code, expected] of CODES) {
    it(`makes ${expected} of the client's code ${code}`, () => {
      const cause = native(code);
      const error = mapConfluentError(cause, { doing: "reading", details: { topic: "t" } });
      expect(error.code).toBe(expected);
      expect(error.message).toMatch(/^reading failed/u);
      expect(error.details).toMatchObject({ topic: "t" });
      expect(error.cause).toBe(cause);
    });
  }

  it("passes its own errors through", () => {
    const error = new BusTransportError("BUS_TOPIC_MISSING", "no");
    expect(mapConfluentError(error, { doing: "reading" })).toBe(error);
  });

  it("makes a retryable error of what has no code", () => {
    const error = mapConfluentError(new Error("not connected"), { doing: "reading" });
    expect([error.code, error.message]).toEqual(["BUS_TRANSPORT", "reading failed: not connected"]);
  });
});

/** Lines of librdkafka 2.15 against Kafka 4.1, and what they say about credentials. */
const LINES: readonly (readonly [line: string, path: string | undefined])[] = [
  [
    "[thrd:sasl_ssl://127.0.0.1:1/bootstrap]: sasl_ssl://127.0.0.1:1/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 366ms in state AUTH_REQ)",
    "net.sasl",
  ],
  [
    "[thrd:sasl_ssl://127.0.0.1:1/bootstrap]: sasl_ssl://127.0.0.1:1/bootstrap: SASL OAUTHBEARER mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: PLAIN,SCRAM-SHA-512 (after 304ms in state AUTH_HANDSHAKE)",
    "net.sasl",
  ],
  [
    "[thrd:ssl://127.0.0.1:1/bootstrap]: ssl://127.0.0.1:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates package) (after 21ms in state SSL_HANDSHAKE)",
    "net.tls",
  ],
  [
    "[thrd:ssl://127.0.0.1:1/bootstrap]: ssl://127.0.0.1:1/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42 (after 1ms in state APIVERSION_QUERY)",
    "net.tls",
  ],
  [
    "[thrd:ssl://127.0.0.1:1/bootstrap]: ssl://127.0.0.1:1/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 2ms in state SSL_HANDSHAKE)",
    undefined,
  ],
  [
    "[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
    undefined,
  ],
  [
    "[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 14ms in state APIVERSION_QUERY)",
    undefined,
  ],
];

describe("refusalInLog", () => {
  for (const [line, path] of LINES) {
    it(`finds ${path ?? "nothing"} in: ${line.slice(0, 120)}`, () => {
      const refusal = refusalInLog(line, "connecting");
      expect(refusal?.code).toBe(path === undefined ? undefined : "BUS_AUTHENTICATION");
      expect(refusal?.details["path"]).toBe(path);
      expect(refusal?.message ?? "").not.toContain("thrd:");
    });
  }
});
