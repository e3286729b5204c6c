import { expect, test } from "vitest";
import { senderLab, shown } from "../../test/sender-lab.ts";

test("out of retries, what was never sent is not stored, and what was is of unknown outcome", async () => {
  const unsent = senderLab({ retryMax: 1 });
  const [first] = unsent.add(1);
  await unsent.settle(5);
  unsent.brokers.last.unsent();
  await unsent.settle(100);
  unsent.brokers.last.unsent();
  await unsent.settle();
  expect(first?.shown).toBe("BUS_PUBLISH_FAILED");
  const unanswered = senderLab({ retryMax: 0 });
  const [second] = unanswered.add(1);
  await unanswered.settle(5);
  unanswered.brokers.last.unanswered();
  await unanswered.settle();
  expect(second?.shown).toBe("BUS_OUTCOME_UNKNOWN");
});

test("an answer that leaves a partition out leaves its outcome unknown", async () => {
  const { brokers, add, settle } = senderLab({ retryMax: 0 });
  const records = add(1);
  await settle(5);
  brokers.last.answer(7);
  await settle();
  expect(shown(records)).toEqual(["BUS_OUTCOME_UNKNOWN"]);
});

test("past its deadline a record in flight is of unknown outcome at once; its partition waits for the answer", async () => {
  const { brokers, add, settle } = senderLab();
  const records = add(1, { deadlineAtMs: 500 });
  await settle(5);
  const next = add(1);
  await settle(600);
  expect(shown(records)).toEqual(["BUS_OUTCOME_UNKNOWN"]);
  expect(brokers.requests.length).toBe(1);
  brokers.last.answer(0, 4);
  await settle();
  expect(brokers.last.ids).toEqual({ 0: [0] });
  brokers.last.answer(0, 5);
  await settle();
  expect(shown([...records, ...next])).toEqual(["BUS_OUTCOME_UNKNOWN", 5]);
});

test("an expired batch is not sent again, and the next one begins as another producer", async () => {
  const { brokers, add, settle } = senderLab();
  add(2, { deadlineAtMs: 500 });
  await settle(5);
  add(1);
  await settle(600);
  brokers.last.unanswered();
  await settle(200);
  expect(brokers.last.ids).toEqual({ 0: [0] });
  expect(brokers.last.batches[0]?.stamp).toEqual({
    identity: { producerId: 2n, producerEpoch: 0 },
    baseSequence: 0,
  });
});

test("past its deadline a record that waits is not stored, and says what went wrong last", async () => {
  const { brokers, leaders, add, settle } = senderLab();
  leaders.set(0, 1);
  add(1);
  await settle(5);
  const [waiting] = add(1, { deadlineAtMs: 400 });
  brokers.last.answer(19);
  await settle(10);
  brokers.requests.length = 0;
  await settle(500);
  expect(waiting?.shown).toBe("BUS_PUBLISH_FAILED");
  expect(waiting?.outcome).toMatchObject({
    message: expect.stringContaining("NOT_ENOUGH_REPLICAS"),
  });
});

test("flush sends at once and resolves when everything has an outcome; then no timer is left", async () => {
  const { clock, brokers, sender, add, settle } = senderLab();
  add(1);
  let isFlushed = false;
  void sender.flush().then(() => (isFlushed = true));
  await settle();
  expect(brokers.requests.length).toBe(1);
  expect(isFlushed).toBe(false);
  brokers.last.answer(0);
  await settle();
  expect(isFlushed).toBe(true);
  await settle(200);
  expect(clock.pending).toBe(0);
});

test("close fails what has no outcome: unknown when it was sent, closed when it was not", async () => {
  const { clock, sender, add, settle } = senderLab({ maxMessages: 1 });
  const records = add(2);
  await settle(5);
  sender.close();
  expect(shown(records)).toEqual(["BUS_OUTCOME_UNKNOWN", "BUS_CLOSED"]);
  expect(clock.pending).toBe(0);
});
