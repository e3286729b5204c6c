import fc from "fast-check";
import { expect, test } from "vitest";
import { groupVerdicts, worstVerdict } from "./verdict.ts";
import type { PartitionBacklog, UnknownPartition } from "./verdict.ts";

const LIMITS = { maxLagMessages: 1000 };

function behind(lagMessages: number, extra: Partial<PartitionBacklog> = {}): PartitionBacklog {
  const high = 5000n;
  return {
    group: "g",
    topic: "orders",
    partition: 0,
    committed: high - BigInt(lagMessages),
    low: 0n,
    high,
    lagMessages: BigInt(lagMessages),
    oldestAgeMs: undefined,
    late: false,
    ...extra,
  };
}

const unread: UnknownPartition = {
  group: "g",
  topic: "orders",
  partition: 1,
  error: new Error("gone"),
};

test.each([
  ["nothing", [], [], "clear"],
  ["no lag", [behind(0)], [], "clear"],
  ["exactly the limit", [behind(1000)], [], "clear"],
  ["one over the limit", [behind(1001)], [], "backlog"],
  ["many partitions below the limit", [behind(900), behind(900), behind(900)], [], "clear"],
  ["one old message", [behind(1, { late: true, oldestAgeMs: 30_001 })], [], "backlog"],
  ["a partition that cannot be read", [behind(0)], [unread], "unknown"],
  ["nothing that can be read", [], [unread], "unknown"],
  ["a backlog beside one that cannot be read", [behind(1001)], [unread], "backlog"],
] as const)("%s is judged", (...row) => {
  const [, partitions, unknown, verdict] = row;
  expect(groupVerdicts(["g"], { partitions, unknown }, LIMITS)[0]?.verdict).toBe(verdict);
});

test("a total over the limit is a backlog, exactly the limit is not", () => {
  const reading = { partitions: [behind(600), behind(600)], unknown: [] };
  expect(groupVerdicts(["g"], reading, { ...LIMITS, maxTotalLagMessages: 1199 })[0]).toEqual({
    group: "g",
    verdict: "backlog",
    lagMessages: 1200n,
  });
  expect(groupVerdicts(["g"], reading, { ...LIMITS, maxTotalLagMessages: 1200 })[0]?.verdict).toBe(
    "clear",
  );
});

test("groups are judged each on its own", () => {
  const reading = {
    partitions: [behind(5000), behind(1, { group: "h" })],
    unknown: [{ ...unread, group: "i" }],
  };
  const verdicts = groupVerdicts(["g", "h", "i"], reading, LIMITS);
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(["backlog", "clear", "unknown"]);
  expect(worstVerdict(["clear", "unknown"])).toBe("unknown");
  expect(worstVerdict(["unknown", "backlog", "clear"])).toBe("backlog");
  expect(worstVerdict([])).toBe("clear");
});

test("what is unknown is never clear, whatever else was read", () => {
  const partition = fc.record({ lag: fc.nat(2000), late: fc.boolean() });
  fc.assert(
    fc.property(fc.array(partition), fc.nat(3), (partitions, blind) => {
      const reading = {
        partitions: partitions.map(({ lag, late }) => behind(lag, { late })),
        unknown: Array.from({ length: blind }, () => unread),
      };
      const verdict = groupVerdicts(["g"], reading, LIMITS)[0]?.verdict;
      const over = partitions.some(({ lag, late }) => late || lag > 1000);
      const otherwise = blind > 0 ? "unknown" : "clear";
      const expected = over ? "backlog" : otherwise;
      expect(verdict).toBe(expected);
    }),
  );
});
