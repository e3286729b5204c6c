import { expect, test } from "vitest";
import { manualClock } from "@bus/testkit";
import { turn } from "../../test/fake-records.ts";
import { FakeRecord } from "../../test/fake-producer-broker.ts";
import { RecordAccumulator } from "./record-accumulator.ts";

function lab(limits: { maxMessages?: number; maxBytes?: number } = {}, lingerMs = 5) {
  const clock = manualClock();
  const heard = { ready: 0 };
  const accumulator = new RecordAccumulator({
    clock,
    lingerMs,
    limits: { maxMessages: limits.maxMessages ?? 100, maxBytes: limits.maxBytes ?? 1_000_000 },
    onReady: () => void (heard.ready += 1),
  });
  const readyPartitions = (): number[] => accumulator.ready().map(({ partition }) => partition);
  return { clock, accumulator, heard, readyPartitions };
}

test("a record waits for others as long as the linger time, and then is ready", () => {
  const { clock, accumulator, heard, readyPartitions } = lab();
  accumulator.add(new FakeRecord(1));
  expect(readyPartitions()).toEqual([]);
  clock.advance(4);
  expect(heard.ready).toBe(0);
  clock.advance(1);
  expect(heard.ready).toBe(1);
  expect(readyPartitions()).toEqual([0]);
});

test("without linger what came in one turn is ready at its end, and no timer makes it wait", async () => {
  const { clock, accumulator, heard, readyPartitions } = lab({}, 0);
  accumulator.add(new FakeRecord(1));
  accumulator.add(new FakeRecord(2));
  expect(heard.ready).toBe(0);
  await turn();
  expect([heard.ready, clock.pending]).toEqual([1, 0]);
  expect(readyPartitions()).toEqual([0]);
});

test("a full batch is ready at once, at the end of the turn, by messages and by bytes", async () => {
  const byCount = lab({ maxMessages: 2 });
  byCount.accumulator.add(new FakeRecord(1));
  byCount.accumulator.add(new FakeRecord(2));
  expect(byCount.heard.ready).toBe(0);
  await turn();
  expect(byCount.heard.ready).toBe(1);
  const byBytes = lab({ maxBytes: 500 });
  byBytes.accumulator.add(new FakeRecord(1, { sizeBytes: 480 }));
  await turn();
  expect(byBytes.readyPartitions()).toEqual([0]);
});

test("a batch closes at its limits, and what follows waits for the next one", () => {
  const { accumulator, clock } = lab({ maxMessages: 3 });
  for (let id = 0; id < 7; id += 1) accumulator.add(new FakeRecord(id));
  clock.advance(5);
  const [queue] = accumulator.ready();
  expect(queue?.take().records.length).toBe(3);
  expect(accumulator.ready()).toEqual([]);
  if (queue !== undefined) queue.inFlight = undefined;
  expect(queue?.take().records.length).toBe(3);
});

test("a batch never exceeds its bytes, but a record larger than a batch goes alone", () => {
  const { accumulator, clock } = lab({ maxBytes: 300 });
  for (const [id, sizeBytes] of [100, 100, 900, 50].entries()) {
    accumulator.add(new FakeRecord(id, { sizeBytes }));
  }
  clock.advance(5);
  const [queue] = accumulator.ready();
  const sizes: number[][] = [];
  while (queue !== undefined && queue.waiting > 0) {
    sizes.push(queue.take().records.map(({ sizeBytes }) => sizeBytes));
    queue.inFlight = undefined;
  }
  expect(sizes).toEqual([[100], [100], [900], [50]]);
});

test("a partition with a batch on its way is not ready, and gathers meanwhile", () => {
  const { accumulator, clock, readyPartitions } = lab({ maxMessages: 2 });
  accumulator.add(new FakeRecord(1));
  clock.advance(5);
  const [queue] = accumulator.ready();
  queue?.take();
  for (let id = 2; id < 6; id += 1) accumulator.add(new FakeRecord(id));
  clock.advance(100);
  expect(readyPartitions()).toEqual([]);
  if (queue !== undefined) queue.inFlight = undefined;
  expect(readyPartitions()).toEqual([0]);
});

test("a flush makes what waits ready now, and nothing else", async () => {
  const { accumulator, readyPartitions } = lab({}, 1_000);
  accumulator.add(new FakeRecord(1, { partition: 3 }));
  accumulator.flush();
  await turn();
  expect(readyPartitions()).toEqual([3]);
  accumulator.add(new FakeRecord(2, { partition: 4 }));
  expect(readyPartitions()).toEqual([3]);
});

test("a pause before a retry holds its partition back, and no other", () => {
  const { accumulator, clock, readyPartitions, heard } = lab();
  for (const partition of [0, 1]) accumulator.add(new FakeRecord(partition, { partition }));
  clock.advance(5);
  const [first] = accumulator.ready();
  if (first === undefined) throw new Error("nothing is ready");
  first.retry = first.take();
  first.inFlight = undefined;
  first.notBeforeMs = clock.monotonicMs() + 50;
  expect(readyPartitions()).toEqual([1]);
  const { ready } = heard;
  clock.advance(50);
  expect(heard.ready).toBe(ready + 1);
  expect(readyPartitions()).toEqual([0, 1]);
});

test("records of a batch that was too large come first again, in halves, and then in whole batches", () => {
  const { accumulator, clock } = lab({ maxMessages: 8 });
  for (let id = 0; id < 16; id += 1) accumulator.add(new FakeRecord(id));
  clock.advance(5);
  const [queue] = accumulator.ready();
  if (queue === undefined) throw new Error("nothing is ready");
  const tooLarge = queue.take();
  queue.inFlight = undefined;
  queue.split(tooLarge);
  const ids: number[][] = [];
  while (queue.waiting > 0) {
    ids.push(queue.take().records.map((record) => (record as FakeRecord).id));
    queue.inFlight = undefined;
  }
  expect(ids).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9, 10, 11, 12, 13, 14, 15],
  ]);
});

test("an empty accumulator has no timer", () => {
  const { accumulator, clock } = lab();
  accumulator.add(new FakeRecord(1));
  clock.advance(5);
  const [queue] = accumulator.ready();
  queue?.take();
  if (queue === undefined) throw new Error("nothing is ready");
  queue.inFlight = undefined;
  accumulator.changed(queue);
  expect(accumulator.ready()).toEqual([]);
  expect(accumulator.isEmpty).toBe(true);
  expect(clock.pending).toBe(0);
});
