import { ACK } from "@bus/core";
import type { Delivery } from "@bus/core";
import { InFlightGate } from "@bus/core/adapter";
import { manualClock, testHost } from "@bus/testkit";
import { expect, test } from "vitest";
import { DeliveryLoop } from "./delivery-loop.ts";
import { PartitionLog } from "./partition-log.ts";
import { PartitionReader } from "./partition-reader.ts";
import { seededRandom } from "./seeded-random.ts";

test("an ended reader has left its log, its gate and the loop, and a delivery of it changes nothing", async () => {
  const clock = manualClock();
  const log = new PartitionLog("orders", 0);
  const gate = new InFlightGate({ maxMessages: 10, maxBytes: 100 });
  const received: Delivery[] = [];
  const moved: PartitionReader[] = [];
  const reader = new PartitionReader(log, 0, {
    loop: new DeliveryLoop(clock, seededRandom(1)),
    gate,
    clock,
    logger: testHost().logger,
    maxUncommittedMessages: 100,
    deliver: (delivery) => received.push(delivery),
    onMoved: (each) => moved.push(each),
    onWarning: () => expect.fail("nothing to warn of"),
  });
  for (const offset of [0, 1]) {
    log.append({ offset, timestampMs: 0, sizeBytes: 1, key: null, value: null, headers: [] });
  }
  await Promise.resolve();
  expect([received.length, gate.messages, log.readers.length]).toEqual([2, 2, 1]);
  reader.end();
  reader.end();
  expect([gate.messages, log.readers.length, reader.listed]).toEqual([0, 0, false]);
  log.append({ offset: 2, timestampMs: 0, sizeBytes: 1, key: null, value: null, headers: [] });
  for (const delivery of received) delivery.settle(ACK);
  await Promise.resolve();
  expect([received.length, moved, reader.position]).toEqual([2, [], 0]);
});
