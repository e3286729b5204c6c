import type { OutgoingMessage, PublishReceipt } from "@bus/core";
import { manualClock } from "@bus/testkit";
import { expect, test } from "vitest";
import { judgeLoad, PublisherPressure } from "./publisher-pressure.ts";
import type { PublisherLoad } from "./publisher-pressure.ts";

const LIMITS = {
  maxBufferedMessages: 100,
  maxBufferedBytes: 10_000,
  maxOldestMs: 1000,
  maxLatencyMs: 200,
  maxMessagesPerSecond: 50,
};
const IDLE: PublisherLoad = {
  bufferedMessages: 0,
  bufferedBytes: 0,
  oldestMs: 0,
  latencyMs: 0,
  messagesPerSecond: 0,
};

function message(bytes: number): OutgoingMessage {
  return { topic: "orders", key: null, value: new Uint8Array(bytes), headers: [] };
}

test.each([
  [49, "normal", "clear"],
  [50, "low", "clear"],
  [74, "low", "clear"],
  [75, "medium", "clear"],
  [99, "medium", "clear"],
  [100, "high", "backlog"],
  [199, "high", "backlog"],
  [200, "critical", "backlog"],
] as const)("%i of 100 buffered messages is %s", (...row) => {
  const [bufferedMessages, severity, verdict] = row;
  expect(judgeLoad({ ...IDLE, bufferedMessages }, LIMITS)).toMatchObject({
    severity,
    verdict,
    share: bufferedMessages / 100,
  });
});

test.each([
  ["bufferedBytes", 10_000],
  ["oldestMs", 1000],
  ["latencyMs", 200],
  ["messagesPerSecond", 50],
] as const)("%s at its limit decides, whatever the others are", (...row) => {
  const [measure, value] = row;
  expect(judgeLoad({ ...IDLE, bufferedMessages: 60, [measure]: value }, LIMITS)).toMatchObject({
    severity: "high",
    worst: measure,
    share: 1,
  });
});

test("a rate without a limit never counts", () => {
  expect(
    judgeLoad({ ...IDLE, messagesPerSecond: 1e9 }, { ...LIMITS, maxMessagesPerSecond: undefined })
      .severity,
  ).toBe("normal");
});

test("what is handed over is buffered until it is acknowledged or refused", async () => {
  const clock = manualClock();
  const pressure = new PublisherPressure(LIMITS, clock);
  const answers: {
    resolve: (receipts: readonly PublishReceipt[]) => void;
    reject: (error: Error) => void;
  }[] = [];
  const publish = pressure.wrap(
    () => new Promise((resolve, reject) => answers.push({ resolve, reject })),
  );
  const first = publish([message(10), message(20)]);
  clock.advance(100);
  const second = publish([message(5)]);
  clock.advance(50);
  expect(pressure.report()).toMatchObject({
    bufferedMessages: 3,
    bufferedBytes: 35,
    oldestMs: 150,
  });
  answers[0]?.resolve([]);
  await first;
  expect(pressure.report()).toMatchObject({ bufferedMessages: 1, bufferedBytes: 5, oldestMs: 50 });
  answers[1]?.reject(new Error("refused"));
  await expect(second).rejects.toThrow("refused");
  expect(pressure.report()).toMatchObject({ bufferedMessages: 0, bufferedBytes: 0, oldestMs: 0 });
});

test("latency and rate are those of the window that was closed last", async () => {
  const clock = manualClock();
  const pressure = new PublisherPressure(LIMITS, clock);
  const publish = pressure.wrap(async () => {
    clock.advance(100);
    return [];
  });
  await publish([message(1), message(1)]);
  clock.advance(400);
  await publish([message(1)]);
  clock.advance(400);
  expect(pressure.report()).toMatchObject({ latencyMs: 0, messagesPerSecond: 0 });
  pressure.closeWindow();
  expect(pressure.report()).toMatchObject({
    latencyMs: 100,
    messagesPerSecond: 3,
    worst: "latencyMs",
    severity: "low",
  });
  clock.advance(1000);
  pressure.closeWindow();
  expect(pressure.report()).toMatchObject({
    latencyMs: 0,
    messagesPerSecond: 0,
    severity: "normal",
  });
});
