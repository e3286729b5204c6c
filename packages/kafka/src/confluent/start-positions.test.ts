import { manualClock, testHost } from "@bus/testkit";
import type { StartFrom } from "@bus/core";
import { describe, expect, it } from "vitest";
import type { NativePosition } from "./confluent-client-types.ts";
import { startPositions } from "./start-positions.ts";
import type { StartPositionsQuery } from "./start-positions.ts";

/** Two partitions, of which the first has a committed offset; the ends are asked for as often as they fail. */
function lab(startFrom: StartFrom, failures = 0) {
  const clock = manualClock();
  const asked: number[] = [];
  let left = failures;
  const client: StartPositionsQuery["client"] = {
    committed: (partitions, _timeoutMs, callback) => {
      const committed: NativePosition[] = partitions.map(({ topic, partition }) =>
        partition === 0 ? { topic, partition, offset: 7 } : { topic, partition },
      );
      callback(null, committed);
    },
    queryWatermarkOffsets: (...[, partition, , callback]) => {
      asked.push(partition);
      left -= 1;
      if (left < 0) callback(null, { highOffset: 42 });
      else callback(Object.assign(new Error("timed out"), { code: -185 }), { highOffset: -1 });
    },
  };
  const positions = startPositions({
    client,
    group: "group",
    partitions: [0, 1].map((partition) => ({ topic: "topic", partition })),
    startFrom: () => startFrom,
    host: testHost({ clock }),
    signal: new AbortController().signal,
  });
  return { positions, asked, clock };
}

describe("where a member with Confluent's client begins", () => {
  it("is the committed offset, else the end as it is now with latest, so that nothing published later is passed over", async () => {
    const { positions, asked } = lab("latest");
    expect((await positions).map(({ offset }) => offset)).toEqual([7, 42]);
    expect(asked).toEqual([1]);
  });

  it("is asked for again until there is an answer", async () => {
    const { positions, asked, clock } = lab("latest", 2);
    await clock.advanceAsync(1_000);
    expect((await positions)[1]?.offset).toBe(42);
    expect(asked).toHaveLength(3);
  });

  it("is the beginning with earliest, and nowhere with none", async () => {
    expect((await lab("earliest").positions)[1]?.offset).toBe(-2);
    await expect(lab("none").positions).rejects.toMatchObject({
      code: "BUS_NO_OFFSET",
      details: { topic: "topic", partition: 1 },
    });
  });
});
