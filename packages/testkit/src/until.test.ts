import { expect, test } from "vitest";
import { manualClock } from "./manual-clock.ts";
import { until, within } from "./until.ts";

async function messageOf(failing: Promise<unknown>): Promise<string> {
  try {
    await failing;
    return "did not fail";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test("until returns as soon as the condition holds", async () => {
  const clock = manualClock();
  let looks = 0;
  const waiting = until(() => ++looks === 3, { timeoutMs: 1_000, what: "three looks", clock });
  await clock.advanceAsync(100);
  await waiting;
  expect(looks).toBe(3);
  expect(clock.pending).toBe(0);
});

test("until fails at its deadline and says what it waited for and what it saw last", async () => {
  const clock = manualClock();
  let looks = 0;
  const waiting = until(() => ++looks < 0, {
    timeoutMs: 50,
    what: "the impossible",
    state: () => ({ looks }),
    clock,
  });
  const failure = messageOf(waiting);
  await clock.advanceAsync(60);
  expect(await failure).toMatch(
    /^timed out after 50 ms waiting for the impossible; last state: \{ looks: \d+ \}$/,
  );
});

test("what the condition throws ends the wait at once", async () => {
  const broken = (): boolean => {
    throw new RangeError("bound exceeded");
  };
  await expect(until(broken, { timeoutMs: 60_000, what: "nothing" })).rejects.toThrow(
    "bound exceeded",
  );
});

test("within hands on what the promise brings and leaves no timer behind", async () => {
  const clock = manualClock();
  await expect(within(Promise.resolve(7), { timeoutMs: 50, what: "seven", clock })).resolves.toBe(
    7,
  );
  await expect(
    within(Promise.reject(new Error("broken")), { timeoutMs: 50, what: "nothing", clock }),
  ).rejects.toThrow("broken");
  expect(clock.pending).toBe(0);
});

test("within fails at its deadline and drops what the promise does later", async () => {
  const clock = manualClock();
  let rejectLate = (_error: Error): void => undefined;
  const late = new Promise<void>((_resolve, reject) => {
    rejectLate = reject;
  });
  const failure = messageOf(within(late, { timeoutMs: 50, what: "a close", clock }));
  await clock.advanceAsync(50);
  expect(await failure).toBe("timed out after 50 ms waiting for a close");
  rejectLate(new Error("too late"));
});
