import { expect, test } from "vitest";
import { senderLab, shown } from "../../test/sender-lab.ts";

test("records of one partition go together and learn their offsets", async () => {
  const { brokers, add, settle } = senderLab();
  const records = add(3);
  await settle(5);
  expect(brokers.last.ids).toEqual({ 0: [0, 1, 2] });
  brokers.last.answer(0, 40);
  await settle();
  expect(shown(records)).toEqual([40, 41, 42]);
});

test("one request per leader, with one batch of each of its partitions", async () => {
  const { brokers, leaders, add, settle } = senderLab();
  leaders.set(0, 1).set(1, 2).set(2, 1);
  for (const partition of [0, 1, 2]) add(1, { partition });
  await settle(5);
  expect(brokers.requests.map(({ leader, ids }) => [leader, Object.keys(ids)])).toEqual([
    [1, ["0", "2"]],
    [2, ["1"]],
  ]);
});

test("never two requests of one partition at a time, while others go on", async () => {
  const { brokers, add, settle } = senderLab();
  add(1);
  await settle(5);
  add(2);
  add(1, { partition: 1 });
  await settle(50);
  expect(brokers.requests.map(({ ids }) => ids)).toEqual([{ 0: [0] }, { 1: [0] }]);
  brokers.requests[0]?.answer(0);
  await settle();
  expect(brokers.last.ids).toEqual({ 0: [0, 1] });
});

test("no more requests per broker than allowed", async () => {
  const { brokers, add, settle } = senderLab({ maxInFlight: 2 });
  for (const partition of [0, 1, 2]) {
    add(1, { partition });
    await settle(5);
  }
  expect(brokers.requests.length).toBe(2);
  brokers.requests[0]?.answer(0);
  await settle();
  expect(brokers.requests.length).toBe(3);
});

test("a batch that was not stored goes first again, after a growing pause, to whoever leads then", async () => {
  const { brokers, leaders, refreshed, add, settle } = senderLab();
  const records = add(2);
  await settle(5);
  const later = add(1);
  leaders.set(0, 2);
  brokers.last.answer(6);
  await settle(99);
  expect(brokers.requests.length).toBe(1);
  expect(refreshed).toEqual(["topic"]);
  await settle(1);
  expect(brokers.last).toMatchObject({ leader: 2, ids: { 0: [0, 1] } });
  brokers.last.answer(6);
  await settle(199);
  expect(brokers.requests.length).toBe(2);
  await settle(1);
  brokers.last.answer(0, 7);
  await settle(5);
  brokers.last.answer(0, 9);
  await settle();
  expect(shown([...records, ...later])).toEqual([7, 8, 9]);
});

test("of a request whose partitions fare differently, only what failed is sent again", async () => {
  const { brokers, add, settle } = senderLab();
  const [good, bad] = [add(1, { partition: 0 }), add(1, { partition: 1 })];
  await settle(5);
  brokers.last.answer({ 0: 0, 1: 6 }, 3);
  await settle(100);
  expect(shown(good)).toEqual([3]);
  expect(brokers.last.ids).toEqual({ 1: [0] });
  brokers.last.answer(0, 5);
  await settle();
  expect(shown(bad)).toEqual([5]);
});

test("a retry carries the sequence number of the first attempt, the next batch the one after", async () => {
  const { brokers, add, settle } = senderLab();
  add(3);
  await settle(5);
  brokers.last.unanswered();
  await settle(100);
  add(1);
  brokers.last.answer(0);
  await settle(5);
  const stamps = brokers.requests.map(({ batches }) => batches[0]?.stamp);
  expect(stamps.map((stamp) => [stamp?.identity.producerId, stamp?.baseSequence])).toEqual([
    [1n, 0],
    [1n, 0],
    [1n, 3],
  ]);
});

test.each([
  [29, "BUS_AUTHORIZATION"],
  [17, "BUS_BROKER_REJECTED"],
  [76, "BUS_UNSUPPORTED"],
])("error code %i of the broker is final: %s", async (errorCode, code) => {
  const { brokers, add, settle } = senderLab();
  const records = add(2);
  await settle(5);
  brokers.last.answer(errorCode);
  await settle(1_000);
  expect(shown(records)).toEqual([code, code]);
  expect(brokers.requests.length).toBe(1);
});

test("a batch that is too large is halved until only the guilty record fails", async () => {
  const { brokers, add, settle } = senderLab();
  const records = add(4);
  await settle(5);
  let offset = 0;
  for (let round = 0; round < 10 && records.some(({ outcome }) => outcome === "open"); round += 1) {
    const ids = brokers.last.ids[0] ?? [];
    const isGuilty = ids.includes(2);
    brokers.last.answer(isGuilty ? 10 : 0, offset);
    if (!isGuilty) offset += ids.length;
    await settle(5);
  }
  expect(shown(records)).toEqual([0, 1, "BUS_MESSAGE_TOO_LARGE", 2]);
});

test("a batch that the broker has already counts as stored", async () => {
  const { brokers, add, settle } = senderLab();
  const records = add(1);
  await settle(5);
  brokers.last.answer(46, -1);
  await settle();
  expect(shown(records)).toEqual([undefined]);
});

test("a producer that the broker disowns begins anew in that partition alone, and sends the batch again", async () => {
  const { brokers, gaps, add, settle } = senderLab();
  add(1, { partition: 0 });
  add(1, { partition: 1 });
  await settle(5);
  brokers.last.answer({ 0: 59, 1: 0 });
  await settle(100);
  expect(brokers.last.batches[0]?.stamp?.identity.producerId).toBe(2n);
  expect(gaps).toEqual([]);
  brokers.last.answer(0);
  add(1, { partition: 1 });
  await settle(5);
  expect(brokers.last.batches[0]?.stamp).toMatchObject({
    identity: { producerId: 1n },
    baseSequence: 1,
  });
});

test("beginning anew with a batch that may be stored is told: it may be stored twice", async () => {
  const { brokers, gaps, add, settle } = senderLab();
  add(1);
  await settle(5);
  brokers.last.unanswered();
  await settle(100);
  brokers.last.answer(45);
  await settle();
  expect(gaps).toEqual([0]);
});

test("a partition without a leader waits for one", async () => {
  const { brokers, leaders, refreshed, sender, add, settle } = senderLab();
  leaders.set(0, -1);
  const records = add(1);
  await settle(5);
  expect(brokers.requests).toEqual([]);
  expect(refreshed).toEqual(["topic"]);
  leaders.set(0, 3);
  sender.dispatch();
  brokers.last.answer(0, 1);
  await settle();
  expect(shown(records)).toEqual([1]);
});

test("a producer that is not idempotent has no stamp", async () => {
  const { brokers, add, settle } = senderLab({ idempotent: false });
  add(1);
  await settle(5);
  expect(brokers.last.batches[0]?.stamp).toBeUndefined();
});
