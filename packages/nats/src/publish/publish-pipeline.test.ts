import { expect, test } from "vitest";
import { BusConfigError, BusTransportError, publishOutcomesOf } from "@bus/core";
import type { OutgoingMessage } from "@bus/core";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";

import { NATS_DEFAULTS } from "../nats-defaults.ts";
import type { ResolvedPublishOptions } from "../nats-options.ts";
import { PublishPipeline } from "./publish-pipeline.ts";
import type { OutgoingFrame, PublishAnswers, PublishPort } from "./publish-port.ts";

const encode = (text: string): Uint8Array => Buffer.from(text);

/** Keeps what is sent; the test answers. */
class RecordingPort implements PublishPort {
  readonly maxPayloadBytes = 200;
  readonly frames: OutgoingFrame[] = [];
  answers: PublishAnswers | undefined;

  listen(answers: PublishAnswers): void {
    this.answers = answers;
  }

  send({ subject, headerBlock, payload, ticket }: OutgoingFrame): void {
    this.frames.push({ subject, headerBlock, payload, ticket });
  }

  close(): void {
    this.answers = undefined;
  }

  answer(index: number, answer: object): void {
    const ticket = this.frames[index]?.ticket ?? -1;
    this.answers?.answered(ticket, encode(JSON.stringify(answer)));
  }

  values(): readonly string[] {
    return this.frames.map(({ payload }) => Buffer.from(payload).toString());
  }
}

interface Lab {
  readonly port: RecordingPort;
  readonly clock: ManualClock;
  readonly pipeline: PublishPipeline;
}

function openLab(options: Partial<ResolvedPublishOptions> = {}): Lab {
  const port = new RecordingPort();
  const clock = manualClock();
  const pipeline = new PublishPipeline({
    port,
    clock,
    random: () => 0,
    options: { ...NATS_DEFAULTS.publish, timeoutMs: 1_000, ...options },
    route: ({ topic, partition = 3 }) => {
      if (topic === "wrong") throw new BusConfigError("BUS_INVALID_MESSAGE", "no such topic");
      return { subject: `${topic}.${partition}`, partition };
    },
    idPrefix: "id-",
  });
  return { port, clock, pipeline };
}

function message(value: string, parts: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { topic: "orders", key: encode("k"), value: encode(value), headers: [], ...parts };
}

test("messages of one call get receipts in its order, whatever the order of answers", async () => {
  const { port, pipeline } = openLab();
  const publishing = pipeline.publish([
    message("a", { key: encode("1") }),
    message("b", { key: encode("2"), partition: 4 }),
  ]);
  port.answer(1, { stream: "s", seq: 8 });
  port.answer(0, { stream: "s", seq: 9 });
  expect(await publishing).toEqual([
    { topic: "orders", partition: 3, offset: 9n },
    { topic: "orders", partition: 4, offset: 8n },
  ]);
  expect(await pipeline.publish([])).toEqual([]);
});

test("a call of which some messages fail tells what became of each", async () => {
  const { port, pipeline } = openLab();
  const publishing = pipeline.publish([
    message("a"),
    message("x".repeat(300)),
    message("c", { topic: "wrong" }),
    message("d"),
  ]);
  port.answer(0, { stream: "s", seq: 1 });
  port.answer(1, { error: { code: 400, err_code: 10_060, description: "not this stream" } });
  const error: unknown = await publishing.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "BUS_PUBLISH_PARTIAL" });
  const outcomes = publishOutcomesOf(error) ?? [];
  expect(
    outcomes.map((outcome) => (outcome.kind === "failed" ? outcome.error.code : outcome.kind)),
  ).toEqual(["stored", "BUS_MESSAGE_TOO_LARGE", "BUS_INVALID_MESSAGE", "BUS_BROKER_REJECTED"]);
  expect(port.values()).toEqual(["a", "d"]);
});

test("at most a window of messages is out, and what waits follows in order", () => {
  const { port, pipeline } = openLab({ window: 2 });
  void pipeline.publish(["a", "b", "c", "d"].map((value) => message(value)));
  expect(port.values()).toEqual(["a", "b"]);
  port.answer(0, { stream: "s", seq: 1 });
  expect(port.values()).toEqual(["a", "b", "c"]);
  expect(pipeline.stats).toMatchObject({ pendingMessages: 3, outMessages: 2 });
});

test("without an answer by the deadline the outcome is unknown; without a connection the message was not stored", async () => {
  const { clock, pipeline } = openLab();
  const sent = pipeline.publish([message("a")]);
  pipeline.disconnected();
  const waiting = pipeline.publish([message("b")]);
  clock.advance(1_100);
  await expect(sent).rejects.toMatchObject({ code: "BUS_OUTCOME_UNKNOWN" });
  await expect(waiting).rejects.toMatchObject({ code: "BUS_PUBLISH_FAILED" });
  expect(pipeline.stats).toMatchObject({ pendingMessages: 0, pendingBytes: 0, outMessages: 0 });
  expect(clock.pending).toBe(0);
});

test("after a reconnect the stream is asked before anything is sent again, and what it has is not", async () => {
  const { port, pipeline } = openLab();
  const publishing = pipeline.publish([message("a"), message("b")]);
  pipeline.disconnected();
  pipeline.reconnected();
  expect(port.values()).toEqual(["a", "b", "", ""]);
  port.answer(2, { stream: "s", seq: 5, duplicate: true });
  port.answer(3, { error: { code: 400, err_code: 10_111, description: "no roll-up" } });
  expect(port.values()).toEqual(["a", "b", "", "", "b"]);
  expect(port.frames[4]?.headerBlock).toEqual(port.frames[1]?.headerBlock);
  port.answer(4, { stream: "s", seq: 6 });
  expect((await publishing).map(({ offset }) => offset)).toEqual([5n, 6n]);
  expect(pipeline.stats.duplicates).toBe(1);
});

test("an answer to a transmission that was given up is not taken for one to another", () => {
  const { port, pipeline } = openLab({ window: 1 });
  void pipeline.publish([message("a")]);
  pipeline.disconnected();
  pipeline.reconnected();
  port.answer(0, { stream: "s", seq: 5 });
  expect(pipeline.stats).toMatchObject({ pendingMessages: 1, outMessages: 1 });
});

test("beyond its bounds the buffer refuses when it is told to, and nothing was sent then", async () => {
  const { port, pipeline } = openLab({ onFull: "reject", maxPendingMessages: 2 });
  void pipeline.publish([message("a"), message("b")]);
  await expect(pipeline.publish([message("c")])).rejects.toMatchObject({ code: "BUS_BUFFER_FULL" });
  port.answer(0, { stream: "s", seq: 1 });
  void pipeline.publish([message("d")]);
  expect(port.values()).toEqual(["a", "b", "d"]);
  const small = openLab({ onFull: "reject", maxPendingBytes: 4 });
  void small.pipeline.publish([message("larger than the bound, alone")]);
  await expect(small.pipeline.publish([message("x")])).rejects.toMatchObject({
    code: "BUS_BUFFER_FULL",
  });
  expect(small.port.frames).toHaveLength(1);
});

test("a subject that the server refuses fails with the reason, other subjects go on", async () => {
  const { port, pipeline } = openLab();
  const refused = pipeline.publish([message("a")]);
  const other = pipeline.publish([message("b", { partition: 4 })]);
  pipeline.refuse("orders.3", new BusTransportError("BUS_AUTHORIZATION", "no permission"));
  await expect(refused).rejects.toMatchObject({ code: "BUS_AUTHORIZATION" });
  port.answer(1, { stream: "s", seq: 2 });
  expect(await other).toHaveLength(1);
});

test("close waits for outcomes, and then tells what it knows of the rest", async () => {
  const { port, clock, pipeline } = openLab({ window: 1, timeoutMs: 60_000 });
  const stored = pipeline.publish([message("a")]);
  const sent = pipeline.publish([message("b")]);
  const waiting = pipeline.publish([message("c")]);
  const closing = pipeline.close(500);
  await expect(pipeline.publish([message("d")])).rejects.toMatchObject({ code: "BUS_CLOSED" });
  port.answer(0, { stream: "s", seq: 1 });
  expect(await stored).toHaveLength(1);
  const both = Promise.allSettled([sent, waiting]);
  await clock.advanceAsync(500);
  await closing;
  expect((await both).map((one) => (one.status === "rejected" ? one.reason : one))).toMatchObject([
    { code: "BUS_OUTCOME_UNKNOWN" },
    { code: "BUS_CLOSED" },
  ]);
  expect(clock.pending).toBe(0);
});
