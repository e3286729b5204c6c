import { describe, expect, it } from "vitest";
import { lastStableOffsets } from "./consumer-statistics.ts";

describe("lastStableOffsets", () => {
  it("finds where open transactions begin, and partitions without one", () => {
    const json = JSON.stringify({
      topics: {
        orders: {
          partitions: {
            "0": { ls_offset: 10, hi_offset: 11 },
            "1": { ls_offset: 4, hi_offset: 4 },
            "2": { ls_offset: -1001, hi_offset: -1001 },
            "-1": { ls_offset: 1, hi_offset: 2 },
          },
        },
        empty: {},
      },
    });
    expect(lastStableOffsets(json)).toEqual([
      { topic: "orders", partition: 0, lastStable: 10 },
      { topic: "orders", partition: 1, lastStable: undefined },
    ]);
  });

  it("passes over what it does not understand", () => {
    for (const json of [
      "",
      "null",
      "[]",
      "{",
      '{"topics":null}',
      '{"topics":{"t":{"partitions":{"0":null}}}}',
    ])
      expect(lastStableOffsets(json)).toEqual([]);
  });
});
