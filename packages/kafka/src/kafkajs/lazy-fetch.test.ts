import { createRequire } from "node:module";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { fetchResponseBytes } from "../../test/fetch-response-bytes.ts";
import { encodeReferenceMessageSet } from "../../test/kafkajs-reference.ts";
import type { ReferenceFetchResponse } from "../../test/kafkajs-reference.ts";
import { KNOWN_KAFKAJS_VERSION, loadKafkajsInternals } from "./kafkajs-internals.ts";
import type { FetchArguments, ProtocolRequest, RequestDefinition } from "./kafkajs-internals.ts";
import { installLazyFetch, LazyFetch } from "./lazy-fetch.ts";
import { RecordBatchWriter } from "./record-batch-writer.ts";

const manifest = createRequire(import.meta.url)("kafkajs/package.json") as { version: string };
const definition = fetchDefinition();
const own = definition.protocol;

function fetchDefinition(): RequestDefinition<FetchArguments> {
  const lookup = loadKafkajsInternals();
  if (lookup.kind === "unavailable") throw new Error(lookup.reason);
  return lookup.internals.fetch;
}

afterEach(() => {
  manifest.version = KNOWN_KAFKAJS_VERSION;
  definition.protocol = own;
});

const TOPICS = [
  { topic: "flights", partitions: [{ partition: 0, fetchOffset: "1", maxBytes: 1000 }] },
];

/** The request that kafkajs would send for a consumer with this rack id. */
function request(rackId: unknown, version = 11): ProtocolRequest {
  const args = { maxWaitTime: 1, minBytes: 1, maxBytes: 1, topics: TOPICS, rackId };
  return definition.protocol({ version })(args);
}

async function fetched(
  rackId: unknown,
  records: Buffer = threeRecords(),
  version = 11,
): Promise<ReferenceFetchResponse> {
  const payload = fetchResponseBytes(
    {
      throttleTimeMs: 9,
      topics: [
        {
          topic: "flights",
          partitions: [
            {
              partition: 0,
              highWatermark: 3n,
              aborted: [{ producerId: 1n, firstOffset: 0n }],
              records,
            },
          ],
        },
      ],
    },
    version,
  );
  const { response } = request(rackId, version);
  return (await response.parse(await response.decode(payload))) as ReferenceFetchResponse;
}

function threeRecords(): Buffer {
  const writer = new RecordBatchWriter();
  for (const value of ["a", "b", "c"]) {
    writer.append({ key: null, value: Buffer.from(value), headers: [], timestampMs: 1 });
  }
  return writer.finish() as Buffer;
}

function elements(response: ReferenceFetchResponse): readonly object[] {
  return response.responses[0]?.partitions[0]?.messages ?? [];
}

function rackOf(fetch: LazyFetch): unknown {
  return fetch.consumerConfig({ groupId: "g" }).rackId;
}

describe("LazyFetch", () => {
  test("gives its consumer one element per record batch, with the last offset that kafkajs asks for", async () => {
    const fetch = new LazyFetch();
    const response = await fetched(rackOf(fetch));
    expect(elements(response)).toMatchObject([
      { kind: "batch", offset: "2", isControlRecord: false },
    ]);
    expect(fetch.decoder).toEqual({ kind: "lazy" });
  });

  test("leaves nothing for the client's own filter of aborted transactions", async () => {
    const response = await fetched(rackOf(new LazyFetch()));
    expect(response.responses[0]?.partitions[0]).toMatchObject({ abortedTransactions: [] });
  });

  test("passes over the records before the offset that the request asks for", async () => {
    const [element] = elements(await fetched(rackOf(new LazyFetch())));
    const cursor = (element as { cursor(): { next(): boolean; offsetDelta: number } }).cursor();
    expect([cursor.next(), cursor.offsetDelta]).toEqual([true, 1]);
  });

  test("leaves every other consumer of the process its ordinary messages", async () => {
    const lazy = new LazyFetch({ rackId: "rack-a" });
    await fetched(rackOf(lazy));
    for (const rackId of ["", "rack-a", undefined]) {
      expect(elements(await fetched(rackId))).toMatchObject([
        { offset: "0" },
        { offset: "1" },
        { offset: "2" },
      ]);
    }
  });

  test("sends the same bytes as the client would by itself, the rack id included", async () => {
    for (const version of [4, 7, 11]) {
      const lazy = await request(
        rackOf(new LazyFetch({ rackId: "rack-a" })),
        version,
      ).request.encode();
      const plain = await request("rack-a", version).request.encode();
      expect(lazy.buffer).toEqual(plain.buffer);
    }
  });

  test.each([4, 5, 6, 7, 8, 9, 10, 11])(
    "works in version %i of the request and tells throttling as that version does",
    async (version) => {
      const response = await fetched(rackOf(new LazyFetch()), threeRecords(), version);
      expect(elements(response)).toMatchObject([{ kind: "batch" }]);
      expect([response.throttleTime, response.clientSideThrottleTime ?? null]).toEqual(
        version >= 8 ? [0, 9] : [9, null],
      );
    },
  );

  test("reports errors of partitions as the client does", async () => {
    const payload = fetchResponseBytes(
      {
        topics: [
          {
            topic: "flights",
            partitions: [{ partition: 0, errorCode: 1, records: Buffer.alloc(0) }],
          },
        ],
      },
      11,
    );
    const { response } = request(rackOf(new LazyFetch()));
    await expect(
      response.decode(payload).then((decoded) => response.parse(decoded)),
    ).rejects.toMatchObject({
      name: "KafkaJSOffsetOutOfRange",
      topic: "flights",
      partition: 0,
    });
  });

  test("compares checksums when asked", async () => {
    const records = threeRecords();
    records.writeUInt32BE(1, 17);
    const [unchecked] = elements(await fetched(rackOf(new LazyFetch()), records));
    const [checked] = elements(
      await fetched(rackOf(new LazyFetch({ verifyChecksums: true })), records),
    );
    expect(unchecked).toMatchObject({ kind: "batch" });
    expect(checked).toMatchObject({ kind: "unreadable", offset: "1" });
    expect(BusError.is((checked as { readonly error: unknown }).error, "BUS_CORRUPT")).toBe(true);
  });

  test("leaves messages older than Kafka 0.11 to the client's own decoder, and says so", async () => {
    const fetch = new LazyFetch();
    const old = encodeReferenceMessageSet([
      { key: "k", value: "one", timestamp: 1 },
      { key: "k", value: "two", timestamp: 2 },
    ]);
    expect(elements(await fetched(rackOf(fetch), old))).toMatchObject([
      { offset: "0", magicByte: 1 },
      { offset: "1" },
    ]);
    expect(fetch.decoder).toEqual({
      kind: "client",
      reason: "a topic holds messages in a format older than Kafka 0.11",
    });
    await fetched(rackOf(fetch));
    expect(fetch.decoder).toEqual({ kind: "lazy" });
  });

  test("leaves responses of versions without record batches to the client's own decoder, and says so", () => {
    const fetch = new LazyFetch();
    const { response } = request(rackOf(fetch), 3);
    expect(response).toBe(request("", 3).response);
    expect(fetch.decoder).toEqual({
      kind: "client",
      reason: "the broker speaks version 3 of the Fetch request",
    });
  });
});

describe("installLazyFetch", () => {
  test("changes kafkajs once, however often it is called", () => {
    expect(installLazyFetch()).toEqual({ active: true });
    const { protocol } = definition;
    expect(installLazyFetch()).toEqual({ active: true });
    expect(definition.protocol).toBe(protocol);
    expect(protocol).not.toBe(own);
  });

  test("still works when somebody else wraps the request afterwards", async () => {
    installLazyFetch();
    const ours = definition.protocol;
    definition.protocol = (choice) => (args) => ours(choice)(args);
    expect(elements(await fetched(rackOf(new LazyFetch())))).toMatchObject([{ kind: "batch" }]);
  });

  describe("with another version of kafkajs", () => {
    beforeEach(() => {
      manifest.version = "2.2.5";
    });

    test("changes nothing and says why", async () => {
      expect(installLazyFetch()).toEqual({
        active: false,
        reason: "kafkajs is 2.2.5, only 2.2.4 is known",
      });
      expect(definition.protocol).toBe(own);
    });

    test("configures consumers for the client's own decoder, which health can show", async () => {
      const fetch = new LazyFetch({ rackId: "rack-a" });
      expect(fetch.decoder).toEqual({
        kind: "client",
        reason: "kafkajs is 2.2.5, only 2.2.4 is known",
      });
      expect(rackOf(fetch)).toBe("rack-a");
      expect(elements(await fetched(rackOf(fetch)))).toHaveLength(3);
    });
  });
});
