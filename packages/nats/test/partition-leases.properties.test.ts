import fc from "fast-check";
import { expect, test } from "vitest";

import { EXPIRE_MS, RENEW_MS, Simulation } from "./lease-simulation.ts";
import type { Happening, RequestFate, Step } from "./lease-simulation.ts";

const which = fc.nat(3);
const count = fc.integer({ min: 1, max: 10 });
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("pass" as const),
        ms: fc.constantFrom(50, 200, 400, 1_000, 3_100),
      }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant("requests" as const),
        count,
        fate: fc.constantFrom<RequestFate>("done", "done", "done", "lost", "unanswered", "late"),
      }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant("run" as const),
        ms: fc.constantFrom(200, 500, 1_000, 2_000, 3_500),
      }),
    },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("answers" as const), count }) },
    { weight: 10, arbitrary: fc.record({ kind: fc.constant("events" as const), count }) },
    { weight: 4, arbitrary: fc.constant({ kind: "drain" as const }) },
    { weight: 4, arbitrary: fc.constant({ kind: "join" as const }) },
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant("happen" as const),
        what: fc.constantFrom<Happening>(
          "leave",
          "crash",
          "freeze",
          "freeze",
          "thaw",
          "thaw",
          "cutOff",
          "cutOff",
          "reconnect",
          "reconnect",
          "deafen",
          "hear",
        ),
        which,
      }),
    },
  ),
  { minLength: 20, maxLength: 100 },
);

test("whatever happens, no partition has two owners; when it is over, each has one and shares are fair", async () => {
  let takeOvers = 0;
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 7 }), async (script, partitions) => {
      const simulation = new Simulation(partitions);
      simulation.join();
      simulation.join();
      await simulation.heal(2 * RENEW_MS);
      simulation.behind = 1;
      for (const step of script) await simulation.apply(step);
      await simulation.heal(100);
      // Those that were joining may have failed to.
      if (simulation.shares().length === 0) simulation.join();
      await simulation.heal(4 * EXPIRE_MS);
      const shares = simulation.shares();
      takeOvers += simulation.takeOvers;
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(partitions);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 250 },
  );
  expect(takeOvers).toBeGreaterThan(300);
}, 120_000);
