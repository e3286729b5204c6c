import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import kafkajs from "kafkajs";
import { beforeAll, expect, test } from "vitest";
import { COMPRESSIONS, registerCodecs } from "../src/kafkajs/compression-codecs.ts";
import { decodeRecords } from "../src/kafkajs/fetch-response-decoder.ts";
import type { FetchedElement } from "../src/kafkajs/fetch-response-decoder.ts";
import { readFetchResponse } from "../src/kafkajs/fetch-response.ts";
import { decoding, messages } from "./decoded-response.ts";
import { decodeReferenceFetch } from "./kafkajs-reference.ts";
import type { ReferenceMessage } from "./kafkajs-reference.ts";
import { groupHeaders } from "./record-arbitraries.ts";
import type { RecordedFetch } from "./recorded-fetch.ts";

/** Made by `record-fixtures.ts` from Kafka 4.1.1. */
const recorded = readFileSync(new URL("fixtures/recorded-fetches.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as RecordedFetch);

beforeAll(() => {
  registerCodecs();
  const lz4 = createRequire(import.meta.url)("lz4js") as { decompress(bytes: Buffer): Uint8Array };
  const registry = kafkajs.CompressionCodecs as Record<number, () => unknown>;
  registry[COMPRESSIONS.lz4] = () => ({
    decompress: async (bytes: Buffer) => Buffer.from(lz4.decompress(bytes)),
  });
});

async function decode({ payload, version, fetchOffset }: RecordedFetch): Promise<FetchedElement[]> {
  const response = readFetchResponse(Buffer.from(payload, "base64"), version);
  const [elements] = await decodeRecords(response, decoding({ fetchOffset: () => fetchOffset }));
  return elements ?? [];
}

/** What the client's own decoder reads, without what its consumer drops by offset or as a marker. */
async function reference({
  payload,
  version,
  fetchOffset,
}: RecordedFetch): Promise<ReferenceMessage[]> {
  const { responses } = await decodeReferenceFetch(Buffer.from(payload, "base64"), version);
  const all = responses[0]?.partitions[0]?.messages ?? [];
  return all.filter(
    ({ offset, isControlRecord }) => Number(offset) >= fetchOffset && !isControlRecord,
  );
}

function find(name: string): RecordedFetch {
  const found = recorded.find((fetch) => fetch.name === name);
  if (found === undefined) throw new Error(`no recorded fetch is named ${name}`);
  return found;
}

function values(elements: readonly FetchedElement[]): (string | undefined)[] {
  return messages(elements).map(({ value }) => value?.toString());
}

test.each(recorded.filter(({ name }) => name !== "transactions, read committed"))(
  "both decoders read the same from a broker's response: $name",
  async (fetch) => {
    const ours = messages(await decode(fetch)).map((record) => ({
      offset: String(record.offset),
      timestamp: String(record.timestampMs),
      key: record.key,
      value: record.value,
      headers: groupHeaders(record.headers),
    }));
    const theirs = await reference(fetch);
    expect(ours).toEqual(
      theirs.map(({ offset, timestamp, key, value, headers }) => ({
        offset,
        timestamp,
        key,
        value,
        headers,
      })),
    );
  },
);

test("the recorded batches hold what they were recorded for", async () => {
  const counts = await Promise.all(
    recorded.map(async (fetch) => [fetch.name, (await reference(fetch)).length]),
  );
  expect(Object.fromEntries(counts)).toMatchObject({
    "version 4": 15,
    "version 11": 15,
    "from the middle of a batch": 12,
    "cut at the end": 10,
    "nothing new": 0,
    "compressed by the broker with lz4": 15,
    "from the middle of a batch compressed with zstd": 7,
    "log append time": 15,
    "transactions, read uncommitted": 4,
  });
});

test.each(["gzip", "snappy", "lz4", "zstd"] as const)(
  "a broker's batches are marked and read as %s",
  async (codec) => {
    const elements = await decode(find(`compressed by the broker with ${codec}`));
    const compressions = elements.map(
      (element) => element.kind === "batch" && element.batch.header.compression,
    );
    expect(compressions).toEqual([COMPRESSIONS[codec], COMPRESSIONS[codec], COMPRESSIONS[codec]]);
  },
);

test("only the committed message of interleaved transactions is seen, where the client's own filter shows others", async () => {
  const elements = await decode(find("transactions, read committed"));
  expect(values(elements)).toEqual(["committed"]);
  expect(elements.at(-1)).toMatchObject({ isControlRecord: true });
});

test("messages of a topic with log append time carry the broker's time", async () => {
  const records = messages(await decode(find("log append time")));
  expect(records.every(({ timestampMs }) => timestampMs > 1_700_000_100_000)).toBe(true);
});

test("a compacted partition is read with its holes, and its position passes removed records", async () => {
  const elements = await decode(find("compacted"));
  const records = messages(elements);
  expect(values(elements).slice(0, 3)).toEqual(["once 1", "once 2", "once 3"]);
  expect(records.slice(0, 3).map(({ offset }) => offset)).toEqual([1n, 3n, 9n]);
  expect(elements[0]).toMatchObject({ kind: "batch", offset: "4", isControlRecord: false });
});
