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

/** A topic whose partition answers questions for offsets only after as many of them as `earlyQuestions`. */
function newTopic(earlyQuestions: number) {
  const clock = manualClock();
  let questions = 0;
  const ask = async (doing: string): Promise<readonly object[]> => {
    const at = { topic: "orders", partition: 0 };
    if (doing.startsWith("describing"))
      return [{ name: "orders", partitions: [{ partition: 0, leader: { id: 1 }, replicas: [1] }] }];
    questions += 1;
    const error = { code: 6, message: "not leader" };
    return questions <= earlyQuestions ? [{ ...at, offset: -1, error }] : [{ ...at, offset: 7 }];
  };
  const admin = new ConfluentAdmin({
    // As above: of the connection only `ask` is used here.
    connection: { ask } as never,
    clock,
    isolationLevel: "read_committed",
    readPositions: () => Promise.resolve([]),
  });
  return { admin, clock };
}

it("asks again for offsets while a partition has no leader that answers", async () => {
  const { admin, clock } = newTopic(3);
  const reading = admin.topicOffsets("orders");
  await clock.advanceAsync(1_000);
  expect(await reading).toEqual([{ topic: "orders", partition: 0, low: 7n, high: 7n }]);
});

it("gives up asking for offsets when no leader answers for long", async () => {
  const { admin, clock } = newTopic(Infinity);
  const reading = admin.topicOffsets("orders").catch((error: unknown) => error);
  await clock.advanceAsync(20_000);
  expect(await reading).toMatchObject({
    message: expect.stringContaining("reading offsets of topic orders failed"),
    details: { topic: "orders", partition: 0 },
  });
});
