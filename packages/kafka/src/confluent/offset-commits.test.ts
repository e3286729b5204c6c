import { BusError } from "@bus/core";
import { manualClock } from "@bus/testkit";
import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import type { NativePosition } from "./confluent-client-types.ts";
import { OffsetCommits } from "./offset-commits.ts";

const AT_5 = [{ topic: "t", partition: 0, offset: 5 }];
const AT_9 = [{ topic: "t", partition: 0, offset: 9 }];

function setUp() {
  const clock = manualClock();
  const commits = new OffsetCommits({ group: "g", clock, timeoutMs: 1_000 });
  const handed: (readonly NativePosition[])[] = [];
  const events = new EventEmitter();
  const client = Object.assign(events, {
    commit: (positions: readonly NativePosition[]) => handed.push(positions),
  });
  commits.attach(client);
  const answer = (positions: readonly NativePosition[], code?: number): void => {
    const error = code === undefined ? undefined : Object.assign(new Error("refused"), { code });
    events.emit("offset.commit", error, positions);
  };
  return { clock, commits, handed, answer, events };
}

function outcome(promise: Promise<void>): Promise<string> {
  return promise.then(
    () => "stored",
    (error: unknown) => (BusError.is(error) ? error.code : String(error)),
  );
}

/** Let promises settle. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

describe("OffsetCommits", () => {
  it("resolves with the event, not with the call", async () => {
    const { commits, handed, answer, clock } = setUp();
    let isDone = false;
    const committing = commits.commit(AT_5).then(() => (isDone = true));
    await settle();
    expect([handed, isDone, commits.isWaiting]).toEqual([[AT_5], false, true]);
    answer(AT_5);
    await committing;
    expect([isDone, commits.isWaiting, clock.pending]).toEqual([true, false, 0]);
  });

  it("fails with what the event says", async () => {
    for (const [code, expected] of [
      [12, "BUS_BROKER_REJECTED"],
      [22, "BUS_FENCED"],
      [25, "BUS_FENCED"],
      [27, "BUS_FENCED"],
      [-172, "BUS_FENCED"],
      [15, "BUS_TRANSPORT"],
    ] as const) {
      const { commits, answer } = setUp();
      const committing = outcome(commits.commit(AT_5));
      await settle();
      answer(AT_5, code);
      expect(await committing).toBe(expected);
    }
  });

  it("takes for done what the broker had already", async () => {
    const { commits, answer } = setUp();
    const committing = outcome(commits.commit(AT_5));
    await settle();
    answer(AT_5, -168);
    expect(await committing).toBe("stored");
  });

  it("does not take the answer to another commit for its own", async () => {
    const { commits, answer, clock } = setUp();
    const committing = outcome(commits.commit(AT_5));
    await settle();
    answer(AT_9);
    answer([]);
    clock.advance(1_000);
    expect(await committing).toBe("BUS_TRANSPORT");
  });

  it("hands over no second commit while the first is unanswered, although nobody waits for it any more", async () => {
    const { commits, handed, answer, clock } = setUp();
    const first = outcome(commits.commit(AT_5));
    await settle();
    clock.advance(1_000);
    expect(await first).toBe("BUS_TRANSPORT");
    const second = outcome(commits.commit(AT_9));
    await settle();
    expect(handed).toEqual([AT_5]);
    answer(AT_5);
    await settle();
    expect(handed).toEqual([AT_5, AT_9]);
    answer(AT_9);
    expect(await second).toBe("stored");
  });

  it("gives up waiting for an unanswered one after the same time", async () => {
    const { commits, handed, clock } = setUp();
    void commits.commit(AT_5).catch(() => undefined);
    await settle();
    clock.advance(1_000);
    const second = outcome(commits.commit(AT_9));
    await settle();
    clock.advance(1_000);
    expect(await second).toBe("BUS_TRANSPORT");
    expect(handed).toEqual([AT_5]);
  });

  it("fails at once when no broker can be reached, and still hears the answer", async () => {
    const { commits, answer } = setUp();
    const committing = outcome(commits.commit(AT_5));
    await settle();
    commits.unreachable(new BusError("BUS_CONNECT", "all connections are down"));
    expect(await committing).toBe("BUS_TRANSPORT");
    expect(commits.isWaiting).toBe(true);
    answer(AT_5);
    expect(commits.isWaiting).toBe(false);
  });

  it("fails at once when no broker can be reached, also while it waits for the one before", async () => {
    const { commits, handed, clock } = setUp();
    void commits.commit(AT_5).catch(() => undefined);
    await settle();
    clock.advance(1_000);
    const second = outcome(commits.commit(AT_9));
    await settle();
    commits.unreachable(new BusError("BUS_CONNECT", "all connections are down"));
    expect(await second).toBe("BUS_TRANSPORT");
    expect([handed, clock.pending]).toEqual([[AT_5], 0]);
  });

  it("is fenced once it leaves, which is complete when the last answer has come", async () => {
    const { commits, answer, handed } = setUp();
    const committing = outcome(commits.commit(AT_5));
    await settle();
    let hasLeft = false;
    const leaving = commits.leave().then(() => (hasLeft = true));
    expect(await committing).toBe("BUS_FENCED");
    expect(hasLeft).toBe(false);
    answer(AT_5);
    await leaving;
    expect(await outcome(commits.commit(AT_9))).toBe("BUS_FENCED");
    expect(handed).toEqual([AT_5]);
    await commits.leave();
  });

  it("has nothing to do without positions", async () => {
    const { commits, handed } = setUp();
    await commits.commit([]);
    expect(handed).toEqual([]);
  });
});
