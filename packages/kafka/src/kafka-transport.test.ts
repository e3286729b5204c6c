import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import { testHost } from "@bus/testkit";
import { fetched } from "../test/fake-records.ts";
import type {
  ConsumerSink,
  KafkaDriver,
  KafkaDriverFactory,
  RecordDecoder,
} from "./kafka-driver.ts";
import { kafka } from "./index.ts";

const NOTHING = (): Promise<void> => Promise.resolve();

/** A driver of one group that owns partition 0 of `topic`. */
function fakeDriver(decoder: RecordDecoder) {
  const state: { sink: ConsumerSink | undefined } = { sink: undefined };
  const producer = { partitionCount: () => 1, loadTopic: NOTHING, send: () => undefined };
  const admin = {
    ping: NOTHING,
    createTopics: NOTHING,
    deleteTopics: NOTHING,
    describeTopics: () =>
      Promise.resolve([{ topic: "topic", partitions: 1, replicationFactor: 1, config: {} }]),
    committedOffsets: () => Promise.resolve([]),
    topicOffsets: () => Promise.resolve([]),
    offsetsAtTime: () => Promise.resolve([]),
  };
  const driver: KafkaDriver = {
    connect: NOTHING,
    producer: { ...producer, flush: NOTHING },
    admin,
    createConsumer: (_group, sink) => {
      state.sink = sink;
      return {
        subscribe: async () => void sink.owned([{ topic: "topic", partition: 0 }]),
        pause: () => undefined,
        resume: () => undefined,
        seek: () => undefined,
        decoder,
        commit: NOTHING,
        close: NOTHING,
      };
    },
    close: NOTHING,
  };
  const factory: KafkaDriverFactory = {
    kind: "kafkaDriver",
    name: "fake",
    check: () => undefined,
    describe: () => ({ consumer: { "some.property": 1 } }),
    create: () => driver,
  };
  return { factory, state };
}

async function joined(decoder: RecordDecoder) {
  const { factory, state } = fakeDriver(decoder);
  const transport = kafka({ brokers: ["a:1"], driver: factory }).create(testHost());
  await transport.connect();
  const request = { group: "billing", topics: [{ topic: "topic" }] };
  const subscription = await transport.subscribe(request, () => undefined);
  const health = () => transport.capabilities.health?.report()["kafka.group.billing"];
  return { transport, subscription, sink: state.sink, health };
}

test("the description shows the client's properties and who decodes the records of each group", async () => {
  const { transport, subscription, health } = await joined({
    name: "kafkajs",
    fallbackReason: "the broker is too old",
  });
  const describe = () => transport.capabilities.description?.describe();
  expect(describe()).toEqual({
    consumer: { "some.property": 1 },
    decoders: { billing: { name: "kafkajs", fallbackReason: "the broker is too old" } },
  });
  expect(health()).toMatchObject({
    status: "healthy",
    detail: "records are decoded by kafkajs, slower: the broker is too old",
  });
  await subscription.close({ drainTimeoutMs: 0 });
  expect(describe()).toMatchObject({ decoders: {} });
  await transport.close({ drainTimeoutMs: 0 });
});

test("health tells of a partition that cannot be read for as long as it cannot", async () => {
  const { transport, sink, health } = await joined({ name: "fake" });
  const partition = { topic: "topic", partition: 0 };
  sink?.unreadable(partition, new BusTransportError("BUS_CORRUPT", "its bytes are damaged"));
  expect(health()).toMatchObject({
    status: "degraded",
    detail: "topic[0] stands still: its bytes are damaged; it is tried again",
  });
  sink?.records(fetched(0, [0]));
  expect(health()).toMatchObject({ status: "healthy", detail: "" });
  await transport.close({ drainTimeoutMs: 0 });
});
