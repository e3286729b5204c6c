import { BusTransportError } from "@bus/core";
import { manualClock, testHost } from "@bus/testkit";
import { describe, expect, it } from "vitest";
import { ConnectionWatch } from "./connection-watch.ts";

const DOWN = new BusTransportError("BUS_CONNECT", "all broker connections are down");

function setUp(answers: boolean[]) {
  const clock = manualClock();
  const host = { ...testHost({ clock }), random: () => 0 };
  let pings = 0;
  const watch = new ConnectionWatch({
    host,
    ping: () => {
      pings += 1;
      return answers.shift() === true ? Promise.resolve() : Promise.reject(new Error("no answer"));
    },
  });
  return {
    clock,
    watch,
    host,
    kinds: () => host.events.map(({ kind }) => kind),
    pings: () => pings,
  };
}

describe("ConnectionWatch", () => {
  it("does not believe that all connections are down while the cluster answers", async () => {
    const { watch, clock, kinds, pings } = setUp([true, true]);
    watch.allDown(DOWN);
    watch.allDown(DOWN);
    await clock.advanceAsync(10);
    watch.allDown(DOWN);
    await clock.advanceAsync(10);
    expect([kinds(), pings()]).toEqual([[], 1]);
    await clock.advanceAsync(1_000);
    watch.allDown(DOWN);
    await clock.advanceAsync(10);
    expect(pings()).toBe(2);
  });

  it("tells once that the cluster is gone, of every attempt, and once that it is back", async () => {
    const { watch, clock, kinds } = setUp([false, false, false, true]);
    watch.allDown(DOWN);
    await clock.advanceAsync(250);
    watch.allDown(DOWN);
    await clock.advanceAsync(500);
    await clock.advanceAsync(1_000);
    expect(kinds()).toEqual([
      "disconnected",
      "reconnecting",
      "reconnecting",
      "reconnecting",
      "connected",
    ]);
  });

  it("names refused credentials as the reason when they are", async () => {
    const { watch, clock, host } = setUp([false]);
    const refusal = new BusTransportError("BUS_AUTHENTICATION", "wrong password");
    watch.refused(refusal);
    watch.allDown(DOWN);
    await clock.advanceAsync(0);
    expect(host.events[0]).toEqual({ kind: "disconnected", error: refusal });
    await watch.close();
  });

  it("stops looking when it is closed, and leaves no timer", async () => {
    const { watch, clock, kinds } = setUp([false]);
    watch.allDown(DOWN);
    await clock.advanceAsync(0);
    await watch.close();
    expect(clock.pending).toBe(0);
    watch.allDown(DOWN);
    await clock.advanceAsync(10_000);
    expect(kinds()).toEqual(["disconnected"]);
  });
});
