import { describe, expect, it } from "vitest";
import {
  BusClosedError,
  BusConfigError,
  BusError,
  BusHandlerError,
  BusTransportError,
} from "./bus-error.ts";
import { ERROR_CODES } from "./error-codes.ts";
import type { ErrorCode } from "./error-codes.ts";
import { Poison, RetryLater, Skip } from "./handler-outcomes.ts";
import { publishError, publishOutcomesOf } from "./publish-outcome.ts";

describe("BusError", () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    it(`carries code, retryable, details and cause of ${code}`, () => {
      const cause = new Error("below");
      const error = new BusError(code, "it failed", { cause, details: { topic: "t" } });
      expect(error.code).toBe(code);
      expect(error.retryable).toBe(ERROR_CODES[code].retryable);
      expect(error.cause).toBe(cause);
      expect(error.details).toEqual({ topic: "t" });
      expect(BusError.is(error)).toBe(true);
      expect(BusError.is(error, code)).toBe(true);
    });
  }

  it("is recognised by its brand across copies of the package, and nothing else is", () => {
    expect(BusError.is({ isBusError: true, code: "BUS_CLOSED" }, "BUS_CLOSED")).toBe(true);
    expect(BusError.is({ isBusError: true, code: "BUS_CLOSED" }, "BUS_CONFIG")).toBe(false);
    for (const other of [undefined, null, "x", new Error("x"), { code: "BUS_CLOSED" }])
      expect(BusError.is(other)).toBe(false);
  });

  it("names its subclass", () => {
    expect(new BusConfigError("BUS_CONFIG", "m").name).toBe("BusConfigError");
    expect(new BusTransportError("BUS_TRANSPORT", "m").name).toBe("BusTransportError");
    expect(new BusHandlerError("BUS_HANDLER", "m").name).toBe("BusHandlerError");
    expect(new BusClosedError("m").code).toBe("BUS_CLOSED");
    expect([
      new RetryLater({ afterMs: 5 }).afterMs,
      new Poison("p").message,
      new Skip("s").message,
    ]).toEqual([5, "p", "s"]);
  });
});

describe("publishError", () => {
  const stored = { kind: "stored", receipt: { topic: "t", partition: 0, offset: 1n } } as const;
  const failed = {
    kind: "failed",
    error: new BusTransportError("BUS_PUBLISH_FAILED", "no"),
  } as const;

  it("is the message's own error for a call with one message", () => {
    expect(publishError([failed])).toBe(failed.error);
  });

  it("tells for each of several messages what became of it", () => {
    const error = publishError([stored, failed]);
    expect(error.code).toBe("BUS_PUBLISH_PARTIAL");
    expect(error.message).toBe("1 of 2 messages were not stored");
    expect(publishOutcomesOf(error)).toEqual([stored, failed]);
    expect(publishOutcomesOf(new Error("x"))).toBeUndefined();
  });
});
