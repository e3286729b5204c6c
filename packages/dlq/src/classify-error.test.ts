import { describe, expect, it } from "vitest";
import {
  BusConfigError,
  BusHandlerError,
  BusTransportError,
  Poison,
  RetryLater,
  Skip,
} from "@bus/core";
import type { Delivery, Failure } from "@bus/core";
import { createClassifier } from "./classify-error.ts";
import type { ClassifierRule } from "./classify-error.ts";

function classOf(error: unknown, rules: readonly ClassifierRule[] = []): string {
  const failure: Failure = {
    delivery: {} as Delivery,
    subscription: { topic: "t", group: "g", ordering: "partition", concurrency: 1, plugins: {} },
    error,
    stage: "handler",
    attempt: 1,
    firstFailedAtMs: 0,
    lastFailedAtMs: 0,
  };
  return createClassifier({ rules, defaultClass: "RETRYABLE" })(failure).errorClass;
}

const withCode = (code: string): Error => Object.assign(new Error("x"), { code });

describe("a failure is classified", () => {
  const table: readonly (readonly [string, unknown, string])[] = [
    ["what the handler said: retry later", new RetryLater({ afterMs: 5 }), "RETRYABLE"],
    ["what the handler said: poison", new Poison("bad"), "POISON"],
    ["what the handler said: skip", new Skip("old"), "SKIP"],
    ["a refused connection", withCode("ECONNREFUSED"), "RETRYABLE"],
    ["a reset connection", withCode("ECONNRESET"), "RETRYABLE"],
    ["a time-out", withCode("ETIMEDOUT"), "RETRYABLE"],
    ["a broken pipe", withCode("EPIPE"), "RETRYABLE"],
    ["a name server that does not answer", withCode("EAI_AGAIN"), "RETRYABLE"],
    [
      "fetch: a TypeError caused by the network",
      new TypeError("fetch failed", { cause: withCode("ECONNREFUSED") }),
      "RETRYABLE",
    ],
    [
      "fetch: several addresses refused",
      new TypeError("fetch failed", { cause: new AggregateError([withCode("ECONNREFUSED")]) }),
      "RETRYABLE",
    ],
    ["AbortSignal.timeout", Object.assign(new Error("x"), { name: "TimeoutError" }), "RETRYABLE"],
    ["HTTP 503", Object.assign(new Error("x"), { status: 503 }), "RETRYABLE"],
    ["HTTP 429 in a response", { response: { status: 429 } }, "RETRYABLE"],
    ["broken JSON", new SyntaxError("x"), "POISON"],
    ["a schema's issues", Object.assign(new Error("x"), { issues: [] }), "POISON"],
    ["undecodable input", new BusHandlerError("BUS_DECODE", "x"), "POISON"],
    ["a value against the topic's schema", new BusHandlerError("BUS_SCHEMA", "x"), "POISON"],
    ["a bug", new TypeError("x is not a function"), "UNRECOVERABLE"],
    ["a bug below", new Error("wrapped", { cause: new ReferenceError("y") }), "UNRECOVERABLE"],
    ["PostgreSQL's unique violation", withCode("23505"), "CONFLICT"],
    ["MySQL's duplicate entry", Object.assign(new Error("x"), { errno: 1062 }), "CONFLICT"],
    ["a broker that failed", new BusTransportError("BUS_TRANSPORT", "x"), "RETRYABLE"],
    [
      "a publish with a wrong option",
      new BusConfigError("BUS_INVALID_MESSAGE", "x"),
      "UNRECOVERABLE",
    ],
    ["a deadline", new BusHandlerError("BUS_HANDLER_TIMEOUT", "x"), "RETRYABLE"],
    ["anything else", new Error("x"), "RETRYABLE"],
    [
      "words of a message decide nothing",
      new Error("validation failed: ECONNREFUSED poison"),
      "RETRYABLE",
    ],
    ["a string", "no", "RETRYABLE"],
    ["undefined", undefined, "RETRYABLE"],
    ["a frozen object", Object.freeze({}), "RETRYABLE"],
    [
      "an error whose getters throw",
      {
        get code() {
          throw new Error("trap");
        },
        get cause() {
          throw new Error("trap");
        },
      },
      "RETRYABLE",
    ],
  ];
  for (const [name, error, expected] of table) {
    it(`${name}: ${expected}`, () => {
      expect(classOf(error)).toBe(expected);
    });
  }

  it("by the user's rules before its own, but never against what the handler said", () => {
    class Refused extends Error {}
    const rules: readonly ClassifierRule[] = [
      { as: "POISON", type: Refused },
      { as: "CONFLICT", code: "ECONNREFUSED" },
      { as: "SKIP", when: (error) => (error as Error).message === "old" },
    ];
    expect(classOf(new Refused("x"), rules)).toBe("POISON");
    expect(classOf(withCode("ECONNREFUSED"), rules)).toBe("CONFLICT");
    expect(classOf(new Error("outer", { cause: new Error("old") }), rules)).toBe("SKIP");
    expect(classOf(new Poison("old"), rules)).toBe("POISON");
    expect(classOf(null, rules)).toBe("RETRYABLE");
  });

  it("even when causes form a cycle", () => {
    const error = new Error("a");
    error.cause = new Error("b", { cause: error });
    expect(classOf(error)).toBe("RETRYABLE");
  });
});
