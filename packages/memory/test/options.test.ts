import { BusError } from "@bus/core";
import { memory, MEMORY_DEFAULTS, memoryBroker } from "@bus/memory";
import type { MemoryBroker } from "@bus/memory";
import { manualClock, testHost } from "@bus/testkit";
import { describe, expect, test } from "vitest";

/** What a call throws. */
function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.fail("the call was expected to throw");
}

/** Options as a configuration file may hold them: nobody has checked them. */
const unchecked = (options: Readonly<Record<string, unknown>>): (() => unknown) => {
  return () => memory.configure(options, "transport.memory");
};

describe("memory()", () => {
  test("has every default of MEMORY_DEFAULTS and a broker of its own", () => {
    const { seed, ...defaults } = MEMORY_DEFAULTS;
    const [first, second] = [memory(), memory()];
    expect(first.options).toMatchObject({ ...defaults, clientId: "memory-1" });
    expect(first.options["broker"]).not.toBe(second.options["broker"]);
    expect(seed).toBe(1);
    expect(Object.isFrozen(MEMORY_DEFAULTS)).toBe(true);
  });

  const changed = {
    clientId: "orders-1",
    partitions: 3,
    retentionMessages: 10,
    autoCreateTopics: "never",
    startFrom: "latest",
    maxInFlightMessages: 1,
    maxInFlightBytes: 2,
    maxUncommittedMessages: 3,
    commitIntervalMs: 4,
    maxMessageBytes: 5,
    rebalanceDrainMs: 6,
    sessionTimeoutMs: 7,
    publishTimeoutMs: 8,
  } as const;

  test.each(Object.entries(changed))(
    "takes %s over, and tells it in description",
    (name, value) => {
      const transport = memory.configure({ [name]: value }, "memory").create(testHost());
      expect(transport.capabilities.description?.describe()[name]).toBe(value);
    },
  );

  test.each([
    [{ partition: 3 }, "transport.memory.partition", "did you mean `partitions`?"],
    [{ partitions: 0 }, "transport.memory.partitions", "must be at least 1, got 0"],
    [
      { maxInFlightMessages: 1.5 },
      "transport.memory.maxInFlightMessages",
      "must be an integer, got 1.5",
    ],
    [{ startFrom: "now" }, "transport.memory.startFrom", "must be one of earliest, latest, none"],
    [
      { autoCreateTopics: true },
      "transport.memory.autoCreateTopics",
      "must be one of onFirstUse, never",
    ],
    [{ commitIntervalMs: -1 }, "transport.memory.commitIntervalMs", "must be at least 0, got -1"],
    [{ broker: {} }, "transport.memory.broker", "must be made by memoryBroker()"],
  ])("rejects %j with the path and what is wrong", (options, path, words) => {
    const error = thrownBy(unchecked(options));
    expect(BusError.is(error, "BUS_CONFIG")).toBe(true);
    expect(error).toMatchObject({ details: { path }, message: expect.stringContaining(words) });
  });
});

describe("memoryBroker()", () => {
  test("numbers its clients unless they have a name", () => {
    const broker = memoryBroker();
    const ids = [
      memory({ broker }),
      memory({ broker, clientId: "orders" }),
      memory({ broker }),
    ].map(({ options }) => options["clientId"]);
    expect(ids).toEqual(["memory-1", "orders", "memory-2"]);
  });

  test("gives its number of partitions to clients that choose none", () => {
    const broker = memoryBroker({ partitions: 5 });
    expect(
      [memory({ broker }), memory({ broker, partitions: 2 })].map(
        ({ options }) => options["partitions"],
      ),
    ).toEqual([5, 2]);
  });

  test("uses the clock of the first bus, unless it has one", async () => {
    const [early, late, own] = [
      manualClock({ startMs: 1000 }),
      manualClock({ startMs: 2000 }),
      manualClock({ startMs: 3000 }),
    ];
    const timestampsOn = async (broker: MemoryBroker): Promise<ReadonlySet<number>> => {
      const times: number[] = [];
      for (const clock of [early, late]) {
        const transport = memory({ broker }).create(testHost({ clock }));
        await transport.connect();
        await transport.publish([
          { topic: "orders", key: null, value: null, headers: [], partition: 0 },
        ]);
        await transport.subscribe(
          { group: String(times.length), topics: [{ topic: "orders" }] },
          ({ timestampMs }) => times.push(timestampMs),
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
      return new Set(times);
    };
    expect(await timestampsOn(memoryBroker())).toEqual(new Set([1000]));
    expect(await timestampsOn(memoryBroker({ clock: own }))).toEqual(new Set([3000]));
  });

  test.each([
    [{ partitions: 0 }, "memoryBroker.partitions", "must be at least 1"],
    [{ seed: "x" }, "memoryBroker.seed", "must be an integer"],
    [{ sed: 1 }, "memoryBroker", "unknown option"],
  ])("rejects %j with the path and what is wrong", (options, path, words) => {
    // As plain JavaScript may call it.
    const error = thrownBy(() => memoryBroker(options as Parameters<typeof memoryBroker>[0]));
    expect(BusError.is(error, "BUS_CONFIG")).toBe(true);
    expect(error).toMatchObject({ details: { path }, message: expect.stringContaining(words) });
  });
});
