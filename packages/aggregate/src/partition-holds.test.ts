import { expect, test } from "vitest";
import { PartitionHolds } from "./partition-holds.ts";

function watched(): { readonly holds: PartitionHolds; readonly calls: string[] } {
  const calls: string[] = [];
  const holds = new PartitionHolds("orders", {
    pause: ({ topic, partition }) => void calls.push(`pause ${topic}/${partition}`),
    resume: ({ topic, partition }) => void calls.push(`resume ${topic}/${partition}`),
  });
  return { holds, calls };
}

test("the first holder pauses a partition, the last one resumes it", () => {
  const { holds, calls } = watched();
  holds.hold(2);
  holds.hold(2);
  holds.hold(0);
  expect(holds.held).toBe(2);
  holds.release(2);
  expect(calls).toEqual(["pause orders/2", "pause orders/0"]);
  holds.release(2);
  holds.release(0);
  expect(calls).toEqual(["pause orders/2", "pause orders/0", "resume orders/2", "resume orders/0"]);
  expect(holds.held).toBe(0);
});

test("releasing more often than holding is a defect that says so", () => {
  const { holds } = watched();
  expect(() => holds.release(1)).toThrow("partition 1 of orders was released more often than held");
});
