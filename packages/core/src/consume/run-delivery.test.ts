import { describe, expect, it, vi } from "vitest";
import { manualClock } from "@bus/testkit";
import type { AnyHandler } from "../contracts/plugin.ts";
import type { HandlerSlot } from "../contracts/scheduler.ts";
import { Skip } from "../errors/handler-outcomes.ts";
import { fakeDelivery, fakeOwnership, settled } from "../../test/fake-delivery.ts";
import { retryAfter, runOf } from "../../test/run-of.ts";

describe("a delivery ends in exactly one settlement", () => {
  const endings: readonly (readonly [string, AnyHandler])[] = [
    ["returns", () => undefined],
    ["resolves", () => Promise.resolve()],
    ["returns something else", () => 5 as never],
  ];
  for (const [name, handler] of endings) {
    it(`acknowledged when the handler ${name}`, async () => {
      const delivery = fakeDelivery();
      await runOf(handler).run(delivery);
      expect(delivery.settlements).toEqual([{ kind: "ack" }]);
    });
  }

  const failures: readonly (readonly [string, AnyHandler])[] = [
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    [
      "throws a string",
      () => {
        throw "no";
      },
    ],
    [
      "throws undefined",
      () => {
        throw undefined;
      },
    ],
    [
      "throws a frozen object",
      () => {
        throw Object.freeze({});
      },
    ],
    [
      "throws an object whose message getter throws",
      () => {
        throw {
          get message() {
            throw new Error("trap");
          },
        };
      },
    ],
  ];
  for (const [name, failing] of failures) {
    it(`retried in place for ever, then acknowledged, when the handler ${name} twice`, async () => {
      const clock = manualClock();
      const attempts: number[] = [];
      const handler: AnyHandler = (message, context) => {
        attempts.push(context.attempt);
        return attempts.length <= 2 ? failing(message, context) : undefined;
      };
      const delivery = fakeDelivery();
      const done = runOf(handler, { clock }).run(delivery);
      await clock.advanceAsync(99);
      expect(attempts).toEqual([1]);
      await clock.advanceAsync(1);
      expect(attempts).toEqual([1, 2]);
      await clock.advanceAsync(200);
      await done;
      expect(attempts).toEqual([1, 2, 3]);
      expect(delivery.settlements).toEqual([{ kind: "ack" }]);
    });
  }

  it("held and retried when the value cannot be decoded, without calling the handler", async () => {
    const clock = manualClock();
    const handler = vi.fn();
    const { run, reporter } = runOf(handler, { clock });
    const delivery = fakeDelivery({ value: "{broken" });
    void run(delivery);
    await clock.advanceAsync(10_000);
    expect(handler).not.toHaveBeenCalled();
    expect(delivery.settlements).toEqual([]);
    expect(reporter.failingDeliveries[0]?.lastError).toMatchObject({ code: "BUS_DECODE" });
  });
});

describe("an aborted delivery is not a failure", () => {
  it("is released without a run when ownership ends before it starts", async () => {
    const ownership = fakeOwnership();
    ownership.draining.abort();
    const handler = vi.fn();
    const delivery = fakeDelivery({ ownership });
    await runOf(handler).run(delivery);
    expect(handler).not.toHaveBeenCalled();
    expect(delivery.settlements).toEqual([{ kind: "release" }]);
  });

  it("is released when the handler fails while ownership ends: no retry, no dead letter, no failure counted", async () => {
    const ownership = fakeOwnership();
    const deadLetterPolicy = vi.fn();
    const { run, reporter } = runOf(
      () => {
        ownership.draining.abort();
        throw new Error("torn");
      },
      { retryPolicy: () => ({ kind: "deadLetter", errorClass: "POISON" }), deadLetterPolicy },
    );
    const delivery = fakeDelivery({ ownership });
    await run(delivery);
    expect(deadLetterPolicy).not.toHaveBeenCalled();
    expect(delivery.settlements).toEqual([{ kind: "release" }]);
    expect(reporter.failingDeliveries).toEqual([]);
  });

  it("is released at once when ownership ends during the wait before a retry", async () => {
    const clock = manualClock();
    const ownership = fakeOwnership();
    const { run } = runOf(() => Promise.reject(new Error("no")), {
      clock,
      retryPolicy: retryAfter(60_000),
    });
    const delivery = fakeDelivery({ ownership });
    const done = run(delivery);
    await settled();
    ownership.draining.abort();
    await done;
    expect(delivery.settlements).toEqual([{ kind: "release" }]);
    expect(clock.pending).toBe(1); // the sweep of running handlers; the retry's timer is gone
  });

  it("is acknowledged when the handler succeeds although ownership is ending", async () => {
    const ownership = fakeOwnership();
    const delivery = fakeDelivery({ ownership });
    await runOf(() => ownership.draining.abort()).run(delivery);
    expect(delivery.settlements).toEqual([{ kind: "ack" }]);
  });
});

describe("the failure chain", () => {
  it("acknowledges what a handler skips and does not run it again", async () => {
    const handler = vi.fn(() => {
      throw new Skip("nothing to do");
    });
    const delivery = fakeDelivery();
    await runOf(handler).run(delivery);
    expect(handler).toHaveBeenCalledTimes(1);
    expect(delivery.settlements).toEqual([{ kind: "ack" }]);
  });

  it("acknowledges a dead letter only after it is stored, and keeps trying while it is not", async () => {
    const clock = manualClock();
    let down = true;
    const deadLetterPolicy = vi.fn(() =>
      down ? Promise.reject(new Error("down")) : Promise.resolve(),
    );
    const { run, reporter } = runOf(() => Promise.reject(new Error("no")), {
      clock,
      retryPolicy: () => ({ kind: "deadLetter", errorClass: "POISON" }),
      deadLetterPolicy,
    });
    const delivery = fakeDelivery();
    const done = run(delivery);
    await clock.advanceAsync(60_000);
    expect(delivery.settlements).toEqual([]);
    expect(reporter.failingDeliveries[0]?.deadLetterFailing).toBe(true);
    down = false;
    await clock.advanceAsync(60_000);
    await done;
    expect(deadLetterPolicy.mock.calls.length).toBeGreaterThan(3);
    expect(delivery.settlements).toEqual([{ kind: "ack" }]);
  });

  it("retries for ever when the retry policy itself throws", async () => {
    const clock = manualClock();
    let failing = true;
    const { run } = runOf(() => (failing ? Promise.reject(new Error("no")) : undefined), {
      clock,
      retryPolicy: () => {
        throw new Error("bad policy");
      },
    });
    const delivery = fakeDelivery();
    const done = run(delivery);
    await clock.advanceAsync(1_000);
    expect(delivery.settlements).toEqual([]);
    failing = false;
    await clock.advanceAsync(60_000);
    await done;
    expect(delivery.settlements).toEqual([{ kind: "ack" }]);
  });

  /** A slot that writes down what is done with it. */
  function loggedSlot(log: string[]): HandlerSlot {
    return {
      giveBack: () => void log.push("back"),
      takeAgain: (signal) => {
        log.push("again");
        return Promise.resolve(!signal.aborted);
      },
    };
  }

  it("needs no slot while it waits, and has one again before its handler runs", async () => {
    const clock = manualClock();
    const log: string[] = [];
    const { run } = runOf(
      (_, { attempt }) => {
        log.push(`run ${attempt}`);
        if (attempt < 3) throw new Error("no");
      },
      { clock, retryPolicy: retryAfter(500) },
    );
    const delivery = fakeDelivery();
    const done = run(delivery, loggedSlot(log));
    await settled();
    expect(log).toEqual(["run 1", "back"]);
    await clock.advanceAsync(1_000);
    await done;
    expect(log).toEqual(["run 1", "back", "again", "run 2", "back", "again", "run 3"]);
    expect(delivery.settlements).toEqual([{ kind: "ack" }]);
  });

  it("is released without another run when ownership ends while it waits for a slot", async () => {
    const clock = manualClock();
    const ownership = fakeOwnership();
    const handler = vi.fn(() => Promise.reject(new Error("no")));
    const { run } = runOf(handler, { clock, retryPolicy: retryAfter(500) });
    const delivery = fakeDelivery({ ownership });
    const slot: HandlerSlot = {
      giveBack: () => undefined,
      takeAgain: (signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve(false));
        }),
    };
    const done = run(delivery, slot);
    await clock.advanceAsync(500);
    expect(delivery.settlements).toEqual([]);
    ownership.draining.abort();
    await done;
    expect(handler).toHaveBeenCalledTimes(1);
    expect(delivery.settlements).toEqual([{ kind: "release" }]);
  });

  it("needs no slot to store a dead letter, however often that is tried", async () => {
    const clock = manualClock();
    const log: string[] = [];
    let tries = 0;
    const { run } = runOf(() => Promise.reject(new Error("no")), {
      clock,
      retryPolicy: () => ({ kind: "deadLetter", errorClass: "POISON" }),
      deadLetterPolicy: () => {
        log.push("store");
        return ++tries < 3 ? Promise.reject(new Error("down")) : Promise.resolve();
      },
    });
    const delivery = fakeDelivery();
    const done = run(delivery, loggedSlot(log));
    await clock.advanceAsync(60_000);
    await done;
    expect(log).toEqual(["back", "store", "store", "store"]);
    expect(delivery.settlements).toEqual([{ kind: "ack" }]);
  });

  it("gives the slot back with a nack where no order is kept and the transport can carry the delay", async () => {
    const { run } = runOf(() => Promise.reject(new Error("no")), {
      retryPolicy: retryAfter(500),
      nackUpToMs: 60_000,
    });
    const delivery = fakeDelivery();
    await run(delivery);
    expect(delivery.settlements).toEqual([{ kind: "nack", redeliverAfterMs: 500 }]);
  });
});
