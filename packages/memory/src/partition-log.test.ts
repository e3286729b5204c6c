import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PartitionLog } from "./partition-log.ts";

const append = (log: PartitionLog, key: string | null = null): void => {
  log.append({
    offset: log.next,
    timestampMs: 0,
    sizeBytes: 1,
    key: key === null ? null : new TextEncoder().encode(key),
    value: null,
    headers: [],
  });
};

const offsets = (log: PartitionLog, from = 0): readonly number[] =>
  Array.from(log.from(from), ({ offset }) => offset);

/** A step on a log: the number says how many, or where. */
const step = fc.record({
  kind: fc.constantFrom(
    "append",
    "append",
    "gap",
    "removeBefore",
    "compact",
    "keepNewest" as const,
  ),
  by: fc.nat(12),
});

describe("a log", () => {
  test("finds the first message at or after any offset, whatever was appended, skipped, removed and compacted before", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const log = new PartitionLog("orders", 0);
        let model: { readonly offset: number; readonly key: string | null }[] = [];
        for (const { kind, by } of steps) {
          if (kind === "append") {
            for (let i = 0; i < by; i += 1) {
              const key = i % 4 === 0 ? null : `key-${i % 3}`;
              model.push({ offset: log.next, key });
              append(log, key);
            }
          } else if (kind === "gap") {
            log.insertGap(by);
          } else if (kind === "removeBefore") {
            log.removeBefore(log.low + by);
            model = model.filter(({ offset }) => offset >= log.low);
          } else if (kind === "keepNewest") {
            log.keepNewest(by + 1);
            model = model.slice(-(by + 1));
          } else {
            log.compact();
            model = model.filter(
              ({ key }, index) =>
                key === null || !model.slice(index + 1).some((later) => later.key === key),
            );
          }
          expect([offsets(log), log.messages]).toEqual([
            model.map(({ offset }) => offset),
            model.length,
          ]);
          const everyOffset = Array.from({ length: log.next + 2 }, (_, offset) => offset);
          const found = everyOffset.map((offset) => log.at(log.indexFrom(offset))?.offset);
          expect(found).toEqual(
            everyOffset.map((offset) => model.find((stored) => stored.offset >= offset)?.offset),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test("of many messages is trimmed without losing its place", () => {
    const log = new PartitionLog("orders", 0);
    for (let i = 0; i < 10_000; i += 1) {
      append(log);
      log.keepNewest(100);
    }
    expect([log.low, log.next, log.messages, offsets(log, 9_998)]).toEqual([
      9_900,
      10_000,
      100,
      [9_998, 9_999],
    ]);
  });

  test("cannot lose more than it has, nor get back what was removed", () => {
    const log = new PartitionLog("orders", 0);
    for (let i = 0; i < 3; i += 1) append(log);
    log.removeBefore(99);
    log.removeBefore(1);
    expect([log.low, log.next, offsets(log)]).toEqual([3, 3, []]);
    append(log);
    expect(offsets(log)).toEqual([3]);
  });

  test("tells apart keys that are no text", () => {
    const log = new PartitionLog("orders", 0);
    for (const key of [[0xff], [0xfe], [0xc3, 0xbf], [0xff]]) {
      log.append({
        offset: log.next,
        timestampMs: 0,
        sizeBytes: 1,
        key: Uint8Array.from(key),
        value: null,
        headers: [],
      });
    }
    log.compact();
    expect(offsets(log)).toEqual([1, 2, 3]);
  });
});
