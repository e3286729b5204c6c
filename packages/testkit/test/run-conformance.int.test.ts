import { expect, test } from "vitest";
import { runConformance } from "@bus/testkit";
import type { ConformanceRunner, ConformanceSubject, ConformanceTestOptions } from "@bus/testkit";
import { broken } from "./support/broken-transport.ts";
import { memorySubject } from "./support/memory-subject.ts";
import { runKit } from "./support/run-kit.ts";

interface Registered extends ConformanceTestOptions {
  readonly name: string;
  readonly body: () => Promise<void>;
}

interface RecordingRunner extends ConformanceRunner {
  readonly tests: readonly Registered[];
  readonly skips: readonly { readonly name: string; readonly reason: string }[];
}

function recordingRunner(): RecordingRunner {
  const tests: Registered[] = [];
  const skips: { name: string; reason: string }[] = [];
  return {
    tests,
    skips,
    test: (name, body, options) => void tests.push({ name, body, ...options }),
    skip: (name, reason) => void skips.push({ name, reason }),
  };
}

const SHARE = "two members of a group share its messages and repeat none";
const GROUPS = "group isolation and fan-out";

function withoutFaults(parts: Partial<ConformanceSubject> = {}): ConformanceSubject {
  const { faults: _faults, ...subject } = memorySubject();
  return { ...subject, ...parts };
}

test("a test whose fault the subject cannot cause is skipped with that reason, and the others are registered", () => {
  const runner = recordingRunner();
  const { results } = runConformance(withoutFaults(), runner, {
    guarantees: ["crash without close", "lag is truthful"],
  });
  expect(new Set(runner.skips.map(({ reason }) => reason))).toEqual(
    new Set([
      "the subject has no faults.crash",
      "the subject has no faults.makeGap",
      "the subject has no faults.removeBefore",
    ]),
  );
  expect(results.map(({ outcome, reason }) => `${outcome}: ${reason}`)).toEqual(
    runner.skips.map(({ reason }) => `skipped: ${reason}`),
  );
  expect(runner.tests.map(({ name }) => name)).toContain(
    "memory: lag is truthful: a topic that does not exist is unknown, never without lag, and spoils no other",
  );
});

test("a runner that cannot skip gets an empty test that carries the reason in its name", async () => {
  const tests: Registered[] = [];
  runConformance(
    withoutFaults(),
    { test: (name, body, options) => void tests.push({ name, body, ...options }) },
    { guarantees: ["crash without close"] },
  );
  expect(tests[0]?.name).toBe(
    "memory: crash without close: messages that were received and not settled come again, and nothing of them was committed (skipped: the subject has no faults.crash)",
  );
  await tests[0]?.body();
});

test("a subject skips a guarantee or a single test by name, each with its own reason", () => {
  const runner = recordingRunner();
  const skip = [
    { test: "partition order", reason: "no order" },
    { test: `${GROUPS}: ${SHARE}`, reason: "one member only" },
  ];
  runConformance(memorySubject({}, { skip }), runner, { guarantees: ["partition order", GROUPS] });
  expect(runner.skips.filter(({ reason }) => reason === "no order")).toHaveLength(6);
  expect(runner.skips.filter(({ reason }) => reason === "one member only")).toEqual([
    { name: `memory: ${GROUPS}: ${SHARE}`, reason: "one member only" },
  ]);
  expect(runner.tests).toHaveLength(5);
});

test("a skip or a selection that names nothing is an error, so that no skip outlives its test", () => {
  const skip = [{ test: "partition ordering", reason: "renamed" }];
  expect(() => runConformance(memorySubject({}, { skip }), recordingRunner())).toThrow(
    "skip names partition ordering, which is no guarantee and no test",
  );
  const selection = { guarantees: ["no such guarantee"] };
  expect(() => runConformance(memorySubject(), recordingRunner(), selection)).toThrow(
    "no guarantee is named no such guarantee",
  );
});

test("only tests that count what the process holds ask to run alone", () => {
  const runner = recordingRunner();
  runConformance(memorySubject(), runner);
  const alone = runner.tests.filter((registered) => registered.alone);
  expect(new Set(alone.map(({ name }) => name.split(": ")[1]))).toEqual(
    new Set(["nothing left after close"]),
  );
});

test("a failing test rejects with what was wrong, and the result keeps it", async () => {
  const runner = recordingRunner();
  const subject = broken(memorySubject({ stepMs: 200 }), {
    breakage: () => ({ publish: () => () => Promise.reject(new RangeError("the disk is full")) }),
  });
  const { results } = runConformance(subject, runner, { guarantees: [GROUPS] });
  const sharing = runner.tests.find(({ name }) => name.endsWith(SHARE));
  await expect(sharing?.body()).rejects.toThrow("the disk is full");
  expect(results).toMatchObject([
    { guarantee: GROUPS, test: SHARE, outcome: "failed", reason: "the disk is full" },
  ]);
});

test("a transport that hangs fails the test within its deadline instead of hanging the run", async () => {
  const hanging = broken(memorySubject({ stepMs: 50, takeoverMs: 50, closeLateMs: 50 }), {
    breakage: () => ({ publish: () => () => new Promise(() => undefined) }),
  });
  const results = await runKit(hanging, { guarantees: ["partition order"] });
  const [first] = results;
  expect(results.every(({ outcome }) => outcome === "failed")).toBe(true);
  expect(first?.reason).toBe("timed out after 300 ms waiting for the test to end");
});
