import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assignPartitions } from "./assign-partitions.ts";
import type { Candidate } from "./assign-partitions.ts";

interface Member extends Candidate {
  readonly name: string;
}

interface Partition {
  readonly topic: string;
  readonly partition: number;
}

const member = (name: string, ...topics: readonly string[]): Member => ({
  name,
  topics: new Set(topics),
});
const partitionsOf = (topic: string, count: number): readonly Partition[] =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }));

/** How many partitions of each topic members have. */
function countsOf(
  assignment: ReadonlyMap<Partition, Member>,
): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const counts: Record<string, Record<string, number>> = {};
  for (const [{ topic }, { name }] of assignment) {
    const own = (counts[name] ??= {});
    own[topic] = (own[topic] ?? 0) + 1;
  }
  return counts;
}

test("a member that joins gets its part of every topic", () => {
  const [first, second] = [member("first", "a", "b"), member("second", "a", "b")];
  const partitions = [...partitionsOf("a", 4), ...partitionsOf("b", 4)];
  const assignment = assignPartitions({
    members: [first, second],
    partitions,
    ownerOf: () => first,
  });
  expect(countsOf(assignment)).toEqual({ first: { a: 2, b: 2 }, second: { a: 2, b: 2 } });
});

test("a topic that nobody wants is given to nobody, and no members get nothing", () => {
  const partitions = partitionsOf("a", 2);
  expect(
    assignPartitions({ members: [member("first", "b")], partitions, ownerOf: () => undefined })
      .size,
  ).toBe(0);
  expect(assignPartitions({ members: [], partitions, ownerOf: () => undefined }).size).toBe(0);
});

const topicNames = ["a", "b", "c"] as const;
const groups = fc.record({
  wanted: fc.array(fc.uniqueArray(fc.constantFrom(...topicNames), { minLength: 1 }), {
    maxLength: 6,
  }),
  counts: fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)),
  owners: fc.array(fc.option(fc.nat(5), { nil: undefined }), { minLength: 27, maxLength: 27 }),
});

test("every partition goes to a member that wants it, numbers differ by one at most where they can, and no more move than must", () => {
  fc.assert(
    fc.property(groups, ({ wanted, counts, owners }) => {
      const members = wanted.map((topics, index) => member(String(index), ...topics));
      const partitions = topicNames.flatMap((topic, index) =>
        partitionsOf(topic, counts[index] ?? 0),
      );
      const before = new Map(
        partitions.map((partition, index) => [partition, members[owners[index] ?? -1]]),
      );
      const ownerOf = (partition: Partition): Member | undefined => before.get(partition);
      const after = assignPartitions({ members, partitions, ownerOf });
      const load = (of: Member): number =>
        [...after.values()].filter((owner) => owner === of).length;
      for (const partition of partitions) {
        const wanting = members.filter(({ topics }) => topics.has(partition.topic));
        const owner = after.get(partition);
        expect(owner === undefined).toBe(wanting.length === 0);
        if (owner === undefined) continue;
        expect(wanting).toContain(owner);
        expect(Math.min(...wanting.map(load))).toBeGreaterThanOrEqual(load(owner) - 1);
      }
      const again = assignPartitions({
        members,
        partitions,
        ownerOf: (partition) => after.get(partition),
      });
      expect([...again].every(([partition, owner]) => after.get(partition) === owner)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
