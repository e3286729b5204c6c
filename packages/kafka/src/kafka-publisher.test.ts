import { expect, test } from "vitest";
import { BusTransportError, publishOutcomesOf } from "@bus/core";
import type { BusError, OutgoingMessage } from "@bus/core";
import { manualClock } from "@bus/testkit";
import { turn } from "../test/fake-records.ts";
import { KAFKA_DEFAULTS } from "./kafka-defaults.ts";
import type { OutgoingRecord } from "./kafka-driver.ts";
import type { ProducerOptions } from "./driver-options.ts";
import { KafkaPublisher } from "./kafka-publisher.ts";

function lab(options: ProducerOptions = {}) {
  const clock = manualClock({ startMs: 1_000 });
  const sent: OutgoingRecord[] = [];
  const counts = new Map<string, number>([["known", 4]]);
  const loads: { topic: string; resolve(): void; reject(error: unknown): void }[] = [];
  const ensured: string[] = [];
  const flushed = { times: 0 };
  const publisher = new KafkaPublisher({
    driver: {
      producer: {
        partitionCount: (topic) => counts.get(topic),
        loadTopic: (topic) =>
          counts.has(topic)
            ? Promise.resolve()
            : new Promise((resolve, reject) => void loads.push({ topic, resolve, reject })),
        send: (record) => void sent.push(record),
        flush: () => {
          flushed.times += 1;
          return Promise.resolve();
        },
      },
    },
    options: { ...KAFKA_DEFAULTS.producer, ...options },
    clock,
    random: () => 0,
    ensureTopic: (topic) => {
      ensured.push(topic);
      return Promise.resolve();
    },
  });
  return { publisher, clock, sent, counts, loads, ensured, flushed };
}

function message(more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { topic: "known", key: Buffer.from("key"), value: Buffer.from("v"), headers: [], ...more };
}

async function failureOf(publishing: Promise<unknown>): Promise<BusError> {
  const error: unknown = await publishing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Error && "code" in error) return error as BusError;
  throw new Error("the publish did not fail");
}

test("receipts come in the order of the messages, with the partition of the key", async () => {
  const { publisher, sent } = lab();
  const publishing = publisher.publish([message(), message({ key: Buffer.from("other") })]);
  await turn();
  sent[1]?.stored(9);
  sent[0]?.stored(4);
  const receipts = await publishing;
  expect(receipts.map(({ offset }) => offset)).toEqual([4n, 9n]);
  expect(receipts[0]?.partition).toBe(sent[0]?.partition);
  expect(sent[0]?.timestampMs).toBe(1_000);
  expect(sent[0]?.deadlineAtMs).toBe(30_000);
});

test("a look-up that never ends is given up in time, says so, and does not stand in the way of the next", async () => {
  const { publisher, clock, loads, sent, counts } = lab({ timeoutMs: 5_000 });
  const failing = failureOf(publisher.publish([message({ topic: "new" })]));
  await turn();
  expect(loads).toHaveLength(1);
  clock.advance(5_000);
  const error = await failing;
  expect([error.code, error.message]).toEqual([
    "BUS_PUBLISH_FAILED",
    "topic new could not be looked up within producer.timeoutMs (5000)",
  ]);
  const publishing = publisher.publish([message({ topic: "new", value: Buffer.from("2") })]);
  await turn();
  expect(loads).toHaveLength(2);
  counts.set("new", 1);
  loads[1]?.resolve();
  await turn();
  loads[0]?.reject(new Error("too late"));
  sent[0]?.stored(0);
  expect(await publishing).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test("a look-up that ends late lets what waits for the next one go before what comes after", async () => {
  const { publisher, clock, loads, sent, counts } = lab({ timeoutMs: 5_000 });
  const failing = failureOf(publisher.publish([message({ topic: "new" })]));
  await turn();
  clock.advance(5_000);
  await failing;
  void publisher.publish([message({ topic: "new", value: Buffer.from("1") })]);
  await turn();
  counts.set("new", 1);
  loads[0]?.resolve();
  await turn();
  void publisher.publish([message({ topic: "new", value: Buffer.from("2") })]);
  await turn();
  expect(sent.map(({ value }) => Buffer.from(value ?? []).toString())).toEqual(["1", "2"]);
});

test("messages of a topic keep the order of the calls while its partitions are looked up", async () => {
  const { publisher, sent, counts, loads, ensured } = lab();
  const values = (): string[] => sent.map(({ value }) => Buffer.from(value ?? []).toString());
  void publisher.publish([message({ topic: "new", value: Buffer.from("1") })]);
  void publisher.publish([message({ topic: "new", value: Buffer.from("2") }), message()]);
  await turn();
  expect(values()).toEqual(["v"]);
  expect(loads.map(({ topic }) => topic)).toEqual(["new"]);
  counts.set("new", 2);
  loads[0]?.resolve();
  void publisher.publish([message({ topic: "new", value: Buffer.from("3") })]);
  await turn();
  expect(values()).toEqual(["v", "1", "2", "3"]);
  expect(ensured).toEqual(["new", "known"]);
});

test("a topic that cannot be looked up fails what waits for it, and is tried again by the next call", async () => {
  const { publisher, loads } = lab();
  const publishing = publisher.publish([message({ topic: "new" })]);
  await turn();
  loads[0]?.reject(new BusTransportError("BUS_TOPIC_MISSING", "no such topic"));
  expect((await failureOf(publishing)).code).toBe("BUS_TOPIC_MISSING");
  void publisher.publish([message({ topic: "new" })]);
  await turn();
  expect(loads.length).toBe(2);
});

test("a call of which one message fails tells the outcome of each", async () => {
  const { publisher, sent } = lab();
  const publishing = publisher.publish([message(), message()]);
  await turn();
  sent[0]?.stored(1);
  sent[1]?.failed(new BusTransportError("BUS_PUBLISH_FAILED", "no"));
  const error = await failureOf(publishing);
  expect(error.code).toBe("BUS_PUBLISH_PARTIAL");
  expect(publishOutcomesOf(error)?.map(({ kind }) => kind)).toEqual(["stored", "failed"]);
});

test("a message that is too large is refused before it is sent, and does not keep the others", async () => {
  const { publisher, sent } = lab({ maxMessageBytes: 10 });
  const publishing = publisher.publish([message({ value: Buffer.alloc(8) }), message()]);
  await turn();
  expect(sent.length).toBe(1);
  sent[0]?.stored(0);
  const outcomes = publishOutcomesOf(await failureOf(publishing)) ?? [];
  const refused = outcomes[0];
  expect(refused?.kind === "failed" && refused.error.code).toBe("BUS_MESSAGE_TOO_LARGE");
  expect(refused?.kind === "failed" && refused.error.message).toBe(
    "a message of 11 bytes for known exceeds producer.maxMessageBytes (10)",
  );
});

test.each([
  ["key", { key: "text" }, "its key is neither bytes nor null"],
  ["value", { value: 7 }, "its value is neither bytes nor null"],
  ["header", { headers: [["name", "text"]] }, "a header is not a pair of a name and bytes"],
  ["partition", { partition: -1 }, "partition -1 is not a whole number"],
])("a message with a wrong %s is refused", async (_, wrong, reason) => {
  const { publisher, sent } = lab();
  const error = await failureOf(publisher.publish([Object.assign(message(), wrong)]));
  expect(error.code).toBe("BUS_INVALID_MESSAGE");
  expect(error.message).toContain(reason);
  expect(sent).toEqual([]);
});

test("a partition that the topic does not have is refused", async () => {
  const { publisher } = lab();
  const error = await failureOf(publisher.publish([message({ partition: 4 })]));
  expect(error.message).toBe("topic known has 4 partitions, so there is no partition 4");
});

test("a full buffer lets callers wait in order", async () => {
  const { publisher, sent } = lab({ bufferMessages: 2 });
  void publisher.publish([message(), message(), message(), message()]);
  void publisher.publish([message()]);
  await turn();
  expect(sent.length).toBe(2);
  sent[0]?.stored(0);
  expect(sent.length).toBe(3);
  sent[1]?.stored(1);
  sent[2]?.stored(2);
  expect(sent.length).toBe(5);
  expect(publisher.buffered.messages).toBe(2);
});

test("the bound counts bytes, and a message larger than all of it goes alone", async () => {
  const { publisher, sent } = lab({ bufferBytes: 20, maxMessageBytes: 100 });
  void publisher.publish([message(), message({ value: Buffer.alloc(50) }), message()]);
  await turn();
  expect(sent.length).toBe(1);
  sent[0]?.stored(0);
  expect(sent.length).toBe(2);
  sent[1]?.stored(1);
  expect(sent.length).toBe(3);
});

test("a full buffer refuses at once when told to", async () => {
  const { publisher } = lab({ bufferMessages: 1, onFull: "reject" });
  void publisher.publish([message()]);
  await turn();
  expect((await failureOf(publisher.publish([message()]))).code).toBe("BUS_BUFFER_FULL");
});

test("a message that finds no room before its deadline fails as not stored", async () => {
  const { publisher, clock } = lab({ bufferMessages: 1, timeoutMs: 500 });
  void publisher.publish([message()]);
  const publishing = publisher.publish([message()]);
  await turn();
  clock.advance(600);
  expect((await failureOf(publishing)).code).toBe("BUS_PUBLISH_FAILED");
});

test("a message whose topic cannot be looked up before its deadline fails as not stored", async () => {
  const { publisher, clock } = lab({ timeoutMs: 500 });
  const publishing = publisher.publish([message({ topic: "new" })]);
  await turn();
  clock.advance(600);
  expect((await failureOf(publishing)).code).toBe("BUS_PUBLISH_FAILED");
});

test("keyless messages fill a batch in one partition before they go on to the next", async () => {
  const { publisher, sent } = lab({ flushMessages: 3 });
  void publisher.publish(Array.from({ length: 8 }, () => message({ key: null })));
  await turn();
  expect(sent.map(({ partition }) => partition)).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
});

test("a partitioner of one's own decides, and its answer is checked", async () => {
  const good = lab({ partitioner: (key, partitions) => key.length % partitions });
  void good.publisher.publish([message({ key: Buffer.from("12345") })]);
  await turn();
  expect(good.sent[0]?.partition).toBe(1);
  const bad = lab({ partitioner: () => 9 });
  const error = await failureOf(bad.publisher.publish([message()]));
  expect(error.message).toBe("producer.partitioner must return a whole number from 0 to 3, got 9");
});

test("close waits for what was accepted and refuses what comes after", async () => {
  const { publisher, sent, flushed, clock } = lab();
  const publishing = publisher.publish([message()]);
  await turn();
  let isClosed = false;
  const closing = publisher.close(1_000).then(() => (isClosed = true));
  await turn();
  expect(isClosed).toBe(false);
  expect(flushed.times).toBe(1);
  expect((await failureOf(publisher.publish([message()]))).code).toBe("BUS_CLOSED");
  sent[0]?.stored(0);
  await publishing;
  await closing;
  expect(clock.pending).toBe(0);
});

test("close gives up after its deadline and fails what never reached the driver", async () => {
  const { publisher, clock } = lab({ bufferMessages: 1 });
  void publisher.publish([message()]);
  const waiting = publisher.publish([message()]);
  await turn();
  const closing = publisher.close(1_000);
  clock.advance(1_000);
  await closing;
  expect((await failureOf(waiting)).code).toBe("BUS_CLOSED");
});
