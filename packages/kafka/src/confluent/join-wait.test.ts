import { manualClock } from "@bus/testkit";
import { describe, expect, it } from "vitest";
import { JoinWait } from "./join-wait.ts";

function setUp(isFirst: boolean, added: readonly string[]) {
  const clock = manualClock();
  const joining = new JoinWait({ clock, added: new Set(added), quietMs: 100, isFirst });
  let state = "waiting";
  joining.done.then(
    () => (state = "joined"),
    (error: unknown) => (state = String(error)),
  );
  const look = async (): Promise<string> => {
    await Promise.resolve();
    await Promise.resolve();
    return state;
  };
  return { clock, joining, look };
}

const NONE: ReadonlySet<string> = new Set();

describe("JoinWait", () => {
  it("takes the first assignment, an empty one too, for joining a group", async () => {
    const { joining, look, clock } = setUp(true, ["a"]);
    clock.advance(1_000);
    expect(await look()).toBe("waiting");
    joining.changed("assigned", NONE);
    expect(await look()).toBe("joined");
  });

  it("waits for partitions of the topic that was added", async () => {
    const { joining, look, clock } = setUp(false, ["b"]);
    joining.changed("assigned", new Set(["a"]));
    joining.changed("revoked", new Set(["b"]));
    expect(await look()).toBe("waiting");
    joining.changed("assigned", new Set(["a", "b"]));
    expect(await look()).toBe("joined");
    expect(clock.pending).toBe(0);
  });

  it("takes a quiet group for one that has nothing to give", async () => {
    const { joining, look, clock } = setUp(false, ["b"]);
    clock.advance(80);
    joining.changed("assigned", new Set(["a"]));
    clock.advance(80);
    expect(await look()).toBe("waiting");
    clock.advance(20);
    expect(await look()).toBe("joined");
  });

  it("ends with the error, and leaves no timer", async () => {
    const { joining, look, clock } = setUp(false, ["b"]);
    joining.fail(new Error("no"));
    expect(await look()).toBe("Error: no");
    expect(clock.pending).toBe(0);
  });
});
