import { expect, it } from "vitest";
import { FailedRuns } from "./failed-runs.ts";

const subscription = {
  topic: "orders",
  group: "billing",
  ordering: "none",
  concurrency: 1,
  plugins: {},
} as const;
const span = { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 };
const at = (offset: number) => ({ topic: "orders", partition: 0, offset: BigInt(offset) });

it("forget the oldest when messages that never come back would pile up", () => {
  const runs = new FailedRuns();
  for (let offset = 0; offset < 1_500; offset++)
    runs.remember(subscription, at(offset), { span, failedAtMs: offset });
  expect(runs.size).toBe(1_000);
  expect(runs.find(subscription, at(499))).toBeUndefined();
  expect(runs.take(subscription, at(500))).toMatchObject({ failedAtMs: 500 });
  expect(runs.take(subscription, at(500))).toBeUndefined();
});

it("keep what several groups had of one message apart", () => {
  const runs = new FailedRuns();
  runs.remember(subscription, at(1), { span, failedAtMs: 1 });
  expect(runs.find({ ...subscription, group: "audit" }, at(1))).toBeUndefined();
});
