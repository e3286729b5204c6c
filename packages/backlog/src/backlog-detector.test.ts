import type { Logger } from "@bus/core";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";
import { expect, test } from "vitest";
import { BacklogDetector } from "./backlog-detector.ts";
import type { Poll } from "./lag-poller.ts";
import type { PartitionBacklog } from "./verdict.ts";

const OPTIONS = { maxLagMessages: 10, checkIntervalMs: 1000, checkTimeoutMs: 400, checkJitter: 0 };

function seen(lagMessages: number | "unknown"): Poll {
  if (lagMessages === "unknown") {
    return {
      groups: ["g"],
      partitions: [],
      unknown: [{ group: "g", topic: "a", partition: 0, error: new Error("down") }],
    };
  }
  const high = 1000n;
  const partition: PartitionBacklog = {
    group: "g",
    topic: "a",
    partition: 0,
    committed: high - BigInt(lagMessages),
    low: 0n,
    high,
    lagMessages: BigInt(lagMessages),
    oldestAgeMs: undefined,
    late: false,
  };
  return { groups: ["g"], partitions: [partition], unknown: [] };
}

interface World {
  readonly clock: ManualClock;
  readonly detector: BacklogDetector;
  readonly calls: string[];
  readonly errors: string[];
  polls: number;
  next: Poll | Promise<Poll> | ((signal: AbortSignal) => Promise<Poll>);
}

function world(options: Partial<typeof OPTIONS> = {}): World {
  const errors: string[] = [];
  const calls: string[] = [];
  const clock = manualClock({ startMs: 5_000_000 });
  const quiet = (): void => undefined;
  const logger: Logger = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (message) => void errors.push(message),
  };
  const here: World = {
    clock,
    calls,
    errors,
    polls: 0,
    next: seen(0),
    detector: new BacklogDetector(
      { ...OPTIONS, ...options },
      {
        clock,
        logger,
        random: () => 0.5,
        poller: {
          poll: async (signal) => {
            here.polls++;
            return typeof here.next === "function" ? here.next(signal) : here.next;
          },
        },
      },
    ),
  };
  here.detector.backlogListeners.add(() => calls.push("backlog"));
  here.detector.clearListeners.add(() => calls.push("clear"));
  return here;
}

async function checkAll(here: World, lags: readonly (number | "unknown")[]): Promise<void> {
  for (const lag of lags) {
    here.next = seen(lag);
    await here.detector.check();
  }
}

test("before the first check the verdict is unknown", () => {
  expect(world().detector.verdict).toBe("unknown");
  expect(world().detector.report).toBeUndefined();
});

test("callbacks come at the edges only, and what is unknown is no edge", async () => {
  const here = world();
  await checkAll(here, [0, 11, 12, "unknown", 13, "unknown", 0, 0, "unknown", 0, 11]);
  expect(here.calls).toEqual(["backlog", "clear", "backlog"]);
});

test("a first check without a backlog is no end of one", async () => {
  const here = world();
  await checkAll(here, ["unknown", 0]);
  expect(here.calls).toEqual([]);
});

test("every check is told, with its verdict", async () => {
  const here = world();
  const verdicts: string[] = [];
  const stop = here.detector.onCheck((verdict) => void verdicts.push(verdict));
  await checkAll(here, [0, 11, "unknown"]);
  stop();
  await checkAll(here, [0]);
  expect(verdicts).toEqual(["clear", "backlog", "unknown"]);
});

test("checks run at once and then at every interval, from start to start", async () => {
  const here = world();
  here.detector.start();
  here.detector.start();
  await here.clock.advanceAsync(0);
  expect(here.polls).toBe(1);
  await here.clock.advanceAsync(999);
  expect(here.polls).toBe(1);
  await here.clock.advanceAsync(1);
  expect(here.polls).toBe(2);
  await here.clock.advanceAsync(3000);
  expect(here.polls).toBe(5);
  await here.detector.close();
});

test("jitter makes an interval longer, never shorter", async () => {
  const here = world({ checkJitter: 0.2 });
  here.detector.start();
  await here.clock.advanceAsync(1099);
  expect(here.polls).toBe(1);
  await here.clock.advanceAsync(1);
  expect(here.polls).toBe(2);
  await here.detector.close();
});

test("checks asked for while one runs share it", async () => {
  const here = world();
  let answer: (poll: Poll) => void = () => undefined;
  here.next = new Promise((resolve) => (answer = resolve));
  const checks = [here.detector.check(), here.detector.check(), here.detector.check()];
  answer(seen(11));
  expect(await Promise.all(checks)).toEqual(["backlog", "backlog", "backlog"]);
  expect(here.polls).toBe(1);
});

test("a check that takes too long is unknown, and the next one is asked anew", async () => {
  const here = world();
  here.next = (signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(seen("unknown"))));
  const check = here.detector.check();
  await here.clock.advanceAsync(399);
  expect(here.detector.report).toBeUndefined();
  await here.clock.advanceAsync(1);
  expect(await check).toBe("unknown");
  here.next = seen(0);
  expect(await here.detector.check()).toBe("clear");
  expect(here.clock.pending).toBe(0);
});

test("a slow callback delays no check, and one that throws or rejects is logged", async () => {
  const here = world();
  here.detector.checkListeners.add(() => new Promise(() => undefined));
  here.detector.checkListeners.add(() => {
    throw new Error("bad listener");
  });
  here.detector.checkListeners.add(() => Promise.reject(new Error("bad listener")));
  here.detector.start();
  await here.clock.advanceAsync(2000);
  expect(here.polls).toBe(3);
  expect(here.errors).toEqual(Array.from({ length: 6 }, () => "a listener of onCheck failed"));
  await here.detector.close();
});

test("whoever aborts stops waiting, the check goes on for others", async () => {
  const here = world();
  let answer: (poll: Poll) => void = () => undefined;
  here.next = new Promise((resolve) => (answer = resolve));
  const controller = new AbortController();
  const impatient = here.detector.check(controller.signal);
  const patient = here.detector.check();
  controller.abort();
  await expect(impatient).rejects.toMatchObject({ code: "BUS_ABORTED" });
  answer(seen(0));
  expect(await patient).toBe("clear");
});

test("the report tells rates from the check before", async () => {
  const here = world();
  await checkAll(here, [500]);
  here.clock.advance(10_000);
  await checkAll(here, [400]);
  expect(here.detector.report).toMatchObject({
    verdict: "backlog",
    checkedAtMs: 5_010_000,
    totalLagMessages: 400n,
    consumedPerSecond: 10,
    producedPerSecond: 0,
    timeToClearMs: 40_000,
    groups: [{ group: "g", verdict: "backlog", lagMessages: 400n }],
  });
});

test("closing ends the check that runs, tells nobody of it and leaves no timer", async () => {
  const here = world();
  const verdicts: string[] = [];
  here.detector.onCheck((verdict) => void verdicts.push(verdict));
  here.detector.start();
  here.next = (signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(seen("unknown"))));
  await here.clock.advanceAsync(0);
  await here.detector.close();
  expect(verdicts).toEqual([]);
  expect(here.clock.pending).toBe(0);
  await expect(here.detector.check()).rejects.toMatchObject({ code: "BUS_CLOSED" });
  here.detector.start();
  expect(here.clock.pending).toBe(0);
});
