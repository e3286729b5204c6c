import { manualClock } from "@bus/testkit";
import { expect, it } from "vitest";
import { ConfluentAdmin } from "./confluent-admin.ts";
import type { NativeTopic } from "./confluent-client-types.ts";

const GONE = { code: 3, message: "unknown topic" };

/** A cluster in which a deleted topic is seen for as many more looks as `lateLooks`. */
function lab(lateLooks: number) {
  const clock = manualClock();
  const asked: string[] = [];
  let looks = 0;
  const ask = async (doing: string): Promise<readonly NativeTopic[] | undefined> => {
    asked.push(doing.split(" ")[0] ?? "");
    if (!doing.startsWith("describing")) return undefined;
    looks += 1;
    const partitions = [{ partition: 0, leader: { id: 1 }, replicas: [1] }];
    if (looks <= lateLooks) return [{ name: "orders", partitions }];
    return [{ name: "orders", error: GONE, partitions: [] }];
  };
  const admin = new ConfluentAdmin({
    // The class has private members, so that nothing else has its type; of it only `ask` is used here.
    connection: { ask } as never,
    clock,
    isolationLevel: "read_committed",
    readPositions: () => Promise.resolve([]),
  });
  return { admin, clock, asked };
}

it("resolves when a deleted topic is not seen any more, since brokers may know of it for a moment", async () => {
  const { admin, clock, asked } = lab(2);
  let isDone = false;
  const deleting = admin.deleteTopics(["orders"]).then(() => (isDone = true));
  await clock.advanceAsync(0);
  expect(isDone).toBe(false);
  await clock.advanceAsync(5_000);
  await deleting;
  expect(asked).toEqual(["deleting", "describing", "describing", "describing"]);
  expect(await admin.describeTopics(["orders"])).toEqual([]);
  expect(await admin.missingTopics(["orders"])).toEqual(["orders"]);
});

it("does not wait for ever for a topic that is made anew at once", async () => {
  const { admin, clock } = lab(Infinity);
  const deleting = admin.deleteTopics(["orders"]).then(() => "done");
  await clock.advanceAsync(60_000);
  expect(await deleting).toBe("done");
});
