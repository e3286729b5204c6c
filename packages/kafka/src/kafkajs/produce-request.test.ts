import { describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { encodeReferenceProduce } from "../../test/kafkajs-reference.ts";
import type { KafkajsBroker, ProtocolRequest } from "./kafkajs-internals.ts";
import { sendProduce } from "./produce-request.ts";
import type { ProduceRequest } from "./produce-request.ts";
import { RecordBatchWriter } from "./record-batch-writer.ts";

const BATCH = (() => {
  const writer = new RecordBatchWriter();
  writer.append({ key: Buffer.from("k"), value: Buffer.from("v"), headers: [], timestampMs: 5 });
  return writer.finish() as Buffer;
})();

/** The far end of the wire: notes the requests of a kafkajs connection and answers with given bytes. */
function wire(options: {
  readonly version?: number;
  readonly answer?: Buffer;
  readonly error?: Error;
}): {
  readonly broker: KafkajsBroker;
  readonly requests: ProtocolRequest[];
  readonly disconnects: () => number;
} {
  const requests: ProtocolRequest[] = [];
  let disconnects = 0;
  const broker: KafkajsBroker = {
    nodeId: 1,
    connectionPool: {
      send: async (request) => {
        requests.push(request);
        if (options.error !== undefined) throw options.error;
        if (request.request.expectResponse?.() === false) return undefined;
        return await request.response.parse(
          await request.response.decode(options.answer ?? Buffer.alloc(0)),
        );
      },
    },
    lookupRequest: (_apiKey, definition) => definition.protocol({ version: options.version ?? 7 }),
    initProducerId: async () => ({ producerId: "1", producerEpoch: 0 }),
    disconnect: async () => {
      disconnects += 1;
    },
  };
  return { broker, requests, disconnects: () => disconnects };
}

function produceAnswer(version: number, throttleTimeMs: number): Buffer {
  const bytes = Buffer.alloc(200);
  let at = bytes.writeInt32BE(1, 0);
  at = bytes.writeInt16BE(7, at);
  at += bytes.write("flights", at);
  at = bytes.writeInt32BE(2, at);
  for (const [partition, errorCode, baseOffset] of [
    [0, 0, 2n ** 40n],
    [4, 6, -1n],
  ] as const) {
    at = bytes.writeInt32BE(partition, at);
    at = bytes.writeInt16BE(errorCode, at);
    at = bytes.writeBigInt64BE(baseOffset, at);
    at = bytes.writeBigInt64BE(-1n, at);
    if (version >= 5) at = bytes.writeBigInt64BE(0n, at);
  }
  return bytes.subarray(0, bytes.writeInt32BE(throttleTimeMs, at));
}

const REQUEST: ProduceRequest = {
  acks: -1,
  timeoutMs: 3000,
  partitions: [
    { topic: "flights", partition: 0, batch: BATCH },
    { topic: "orders", partition: 1, batch: BATCH },
    { topic: "flights", partition: 4, batch: BATCH },
  ],
};

describe("sendProduce", () => {
  test.each([3, 5, 7])("reads the result of every partition in version %i", async (version) => {
    const { broker } = wire({ version, answer: produceAnswer(version, 0) });
    expect(await sendProduce(broker, REQUEST)).toEqual([
      { topic: "flights", partition: 0, errorCode: 0, baseOffset: 2n ** 40n, logAppendTimeMs: -1 },
      { topic: "flights", partition: 4, errorCode: 6, baseOffset: -1n, logAppendTimeMs: -1 },
    ]);
  });

  test("writes the request as the client does, with our batches in the place of its own", async () => {
    const { broker, requests } = wire({ answer: produceAnswer(7, 0) });
    await sendProduce(broker, {
      acks: 1,
      timeoutMs: 3000,
      partitions: [{ topic: "flights", partition: 4, batch: BATCH }],
    });
    const messages = [{ key: Buffer.from("k"), value: Buffer.from("v"), timestamp: 5 }];
    const reference = await encodeReferenceProduce(
      {
        acks: 1,
        timeout: 3000,
        topicData: [
          { topic: "flights", partitions: [{ partition: 4, firstSequence: 0, messages }] },
        ],
      },
      7,
    );
    const sent = (await requests[0]?.request.encode())?.buffer ?? Buffer.alloc(0);
    const envelopeBytes = sent.length - BATCH.length;
    expect(sent.length).toBe(reference.length);
    expect(sent.subarray(0, envelopeBytes)).toEqual(reference.subarray(0, envelopeBytes));
    expect(sent.subarray(envelopeBytes)).toEqual(BATCH);
  });

  test("writes a topic once, with all its partitions", async () => {
    const { broker, requests } = wire({ answer: produceAnswer(7, 0) });
    await sendProduce(broker, REQUEST);
    const text = (await requests[0]?.request.encode())?.buffer.toString("latin1") ?? "";
    expect(text.split("flights")).toHaveLength(2);
    expect(text.split("orders")).toHaveLength(2);
  });

  test("waits longer for the answer than the broker may take", async () => {
    const { broker, requests } = wire({ answer: produceAnswer(7, 0) });
    await sendProduce(broker, REQUEST);
    expect(requests[0]?.requestTimeout).toBeGreaterThan(3000);
  });

  test("tells the client to hold back where the broker does not throttle by itself", async () => {
    const { broker, requests } = wire({ answer: produceAnswer(7, 0) });
    await sendProduce(broker, REQUEST);
    expect(await requests[0]?.response.decode(produceAnswer(7, 40))).toMatchObject({
      clientSideThrottleTime: 40,
    });
    const old = wire({ version: 5, answer: produceAnswer(5, 0) });
    await sendProduce(old.broker, REQUEST);
    expect(await old.requests[0]?.response.decode(produceAnswer(5, 40))).toMatchObject({
      clientSideThrottleTime: null,
    });
  });

  test("gives the client a response that its debug log can write", async () => {
    const { broker, requests } = wire({ answer: produceAnswer(7, 0) });
    await sendProduce(broker, REQUEST);
    const decoded = await requests[0]?.response.decode(produceAnswer(7, 0));
    expect(() => JSON.stringify(decoded)).not.toThrow();
  });

  test("expects no answer and gives no results with acks 0", async () => {
    const { broker, requests } = wire({});
    expect(await sendProduce(broker, { ...REQUEST, acks: 0 })).toEqual([]);
    expect(requests[0]?.request.expectResponse?.()).toBe(false);
  });

  test("gives up a connection that was closed and passes the client's error on", async () => {
    const error = Object.assign(new Error("Closed connection"), {
      name: "KafkaJSConnectionClosedError",
    });
    const { broker, disconnects } = wire({ error });
    await expect(sendProduce(broker, REQUEST)).rejects.toBe(error);
    expect(disconnects()).toBe(1);
  });

  test("keeps the connection after a request that timed out", async () => {
    const error = Object.assign(new Error("timed out"), { name: "KafkaJSRequestTimeoutError" });
    const { broker, disconnects } = wire({ error });
    await expect(sendProduce(broker, REQUEST)).rejects.toBe(error);
    expect(disconnects()).toBe(0);
  });

  test("refuses an answer that is cut, wherever it is cut", async () => {
    const answer = produceAnswer(7, 0);
    for (let length = 0; length < answer.length; length += 1) {
      const { broker } = wire({ answer: answer.subarray(0, length) });
      const error = await sendProduce(broker, REQUEST).catch((thrown: unknown) => thrown);
      expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
    }
  });

  test("refuses a broker older than record batches", async () => {
    const error = await sendProduce(wire({ version: 2 }).broker, REQUEST).catch(
      (thrown: unknown) => thrown,
    );
    expect(BusError.is(error, "BUS_UNSUPPORTED")).toBe(true);
  });
});
