import { describe, expect, it } from "vitest";
import { Poison, RetryLater, Skip } from "@bus/core";
import type { Delivery, Failure } from "@bus/core";
import { dlqOptions } from "./dlq-options.ts";
import type { DlqOptions } from "./dlq-options.ts";
import { createRetryPolicy } from "./retry-policy.ts";

function decide(
  error: unknown,
  attempt: number,
  setup: DlqOptions & { readonly chance?: number } = {},
) {
  const { chance = 0, ...options } = setup;
  const failure: Failure = {
    delivery: {} as Delivery,
    subscription: { topic: "t", group: "g", ordering: "partition", concurrency: 1, plugins: {} },
    error,
    stage: "handler",
    attempt,
    firstFailedAtMs: 0,
    lastFailedAtMs: 0,
  };
  return createRetryPolicy(dlqOptions.parse(options), () => chance)(failure);
}

describe("a failure is decided by its class", () => {
  it("retryable: again in place, 1 s, 2 s, 4 s, 8 s, then the dead letter", () => {
    const waits = [1, 2, 3, 4].map((attempt) => decide(new Error("x"), attempt));
    expect(waits.map((decision) => decision.kind === "retry" && decision.afterMs)).toEqual([
      1_000, 2_000, 4_000, 8_000,
    ]);
    expect(decide(new Error("x"), 5)).toEqual({ kind: "deadLetter", errorClass: "RETRYABLE" });
  });

  it("never earlier than configured: jitter only adds", () => {
    expect(decide(new Error("x"), 1, { chance: 0.999 })).toMatchObject({ afterMs: 1_200 });
    expect(decide(new Error("x"), 9, { retry: { attempts: 100 } })).toMatchObject({
      afterMs: 256_000,
    });
    expect(decide(new Error("x"), 50, { retry: { attempts: 100 } })).toMatchObject({
      afterMs: 300_000,
    });
  });

  it("retry later: after what the handler asked for, within the same number of attempts", () => {
    expect(decide(new RetryLater({ afterMs: 7 }), 1)).toMatchObject({ kind: "retry", afterMs: 7 });
    expect(decide(new RetryLater({ afterMs: 7 }), 5)).toMatchObject({ kind: "deadLetter" });
  });

  it("poison and unrecoverable: the dead letter at once", () => {
    expect(decide(new Poison("x"), 1)).toEqual({ kind: "deadLetter", errorClass: "POISON" });
    expect(decide(new TypeError("x"), 1)).toEqual({
      kind: "deadLetter",
      errorClass: "UNRECOVERABLE",
    });
  });

  it("skip: acknowledged with the reason", () => {
    expect(decide(new Skip("too old"), 1)).toEqual({
      kind: "skip",
      errorClass: "SKIP",
      reason: "too old",
    });
  });

  it("conflict: as configured", () => {
    const conflict = Object.assign(new Error("x"), { code: "23505" });
    expect(decide(conflict, 1)).toMatchObject({ kind: "retry" });
    expect(decide(conflict, 1, { onConflict: "ack" })).toMatchObject({
      kind: "skip",
      errorClass: "CONFLICT",
    });
    expect(decide(conflict, 1, { onConflict: "deadLetter" })).toMatchObject({ kind: "deadLetter" });
  });

  it("exhausted: blocked or skipped only when that is written out", () => {
    expect(decide(new Poison("x"), 1, { onExhausted: "block" })).toMatchObject({ kind: "retry" });
    expect(decide(new Poison("x"), 9, { onExhausted: "skip" })).toMatchObject({
      kind: "skip",
      errorClass: "POISON",
    });
  });
});

describe("options", () => {
  it("have the documented defaults and refuse what they do not know", () => {
    expect(dlqOptions.parse({})).toMatchObject({
      retry: { attempts: 5, baseMs: 1_000, maxMs: 300_000 },
      destination: { suffix: ".dlq" },
    });
    expect(dlqOptions.safeParse({ retries: 3 }).success).toBe(false);
    expect(dlqOptions.safeParse({ rules: [{ as: "POISON" }] }).success).toBe(false);
  });
});
