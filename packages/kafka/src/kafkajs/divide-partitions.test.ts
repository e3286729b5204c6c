import fc from "fast-check";
import { expect, test } from "vitest";
import type { TopicPartition } from "@bus/core";
import { dividePartitions } from "./divide-partitions.ts";
import type { Division, SubscribedMember } from "./divide-partitions.ts";

function members(spec: Readonly<Record<string, readonly string[]>>): readonly SubscribedMember[] {
  return Object.entries(spec).map(([memberId, topics]) => ({ memberId, topics: new Set(topics) }));
}

function partitions(topic: string, count: number): readonly TopicPartition[] {
  return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
}

function shown(division: Division): Record<string, readonly string[]> {
  return Object.fromEntries(
    Array.from(division, ([memberId, held]) => [
      memberId,
      held.map(({ topic, partition }) => `${topic}${partition}`),
    ]),
  );
}

test("topics of every member are divided, also those that one member alone subscribes", () => {
  const division = dividePartitions(members({ a: ["x"], b: ["x", "y"] }), [
    ...partitions("x", 4),
    ...partitions("y", 2),
  ]);
  expect(shown(division)).toEqual({ a: ["x0", "x2", "x3"], b: ["x1", "y0", "y1"] });
});

test("a member that joins takes a fair share, and the others keep the rest", () => {
  const before = dividePartitions(members({ a: ["x"], b: ["x"] }), partitions("x", 6));
  const after = dividePartitions(
    members({ a: ["x"], b: ["x"], c: ["x"] }),
    partitions("x", 6),
    before,
  );
  expect(shown(before)).toEqual({ a: ["x0", "x2", "x4"], b: ["x1", "x3", "x5"] });
  expect(shown(after)).toEqual({ a: ["x0", "x2"], b: ["x1", "x3"], c: ["x4", "x5"] });
});

test("partitions of a member that leaves go to the others, who keep what they have", () => {
  const before = dividePartitions(members({ a: ["x"], b: ["x"], c: ["x"] }), partitions("x", 6));
  const after = dividePartitions(members({ a: ["x"], b: ["x"] }), partitions("x", 6), before);
  expect(shown(before)["a"]?.every((one) => shown(after)["a"]?.includes(one))).toBe(true);
  expect(shown(after)).toMatchObject({ a: { length: 3 }, b: { length: 3 } });
});

test("every partition goes to exactly one member that subscribes it, evenly, whatever was before", () => {
  const topics = fc.subarray(["x", "y", "z"], { minLength: 1 });
  fc.assert(
    fc.property(
      fc.array(topics, { minLength: 1, maxLength: 6 }),
      fc.record({ x: fc.nat(7), y: fc.nat(7), z: fc.nat(7) }),
      fc.nat(5),
      (subscriptions, counts, gone) => {
        const everyone = members(
          Object.fromEntries(subscriptions.map((own, index) => [`m${index}`, own])),
        );
        const all = Object.entries(counts).flatMap(([topic, count]) => partitions(topic, count));
        const before = dividePartitions(everyone, all);
        const rest = everyone.filter((_, index) => index !== gone);
        for (const [group, division] of [
          [everyone, before],
          [rest, dividePartitions(rest, all, before)],
        ] as const) {
          const wanted = all.filter(({ topic }) => group.some((one) => one.topics.has(topic)));
          const given = [...division.values()].flat();
          expect(given.map((one) => JSON.stringify(one)).toSorted()).toEqual(
            wanted.map((one) => JSON.stringify(one)).toSorted(),
          );
          for (const heavy of group) {
            for (const light of group) {
              const [held, few] = [
                division.get(heavy.memberId) ?? [],
                division.get(light.memberId) ?? [],
              ];
              const isUneven =
                held.length - few.length > 1 && held.some(({ topic }) => light.topics.has(topic));
              expect(isUneven).toBe(false);
            }
          }
        }
      },
    ),
  );
});
