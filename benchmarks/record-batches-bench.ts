/**
 * Cost of reading and writing record batches, kafkajs' codec beside ours.
 *
 * Usage: pnpm bench record-batches
 *
 * A record has a key, a value of 256 bytes and three headers; a batch has 1,000. Figures are medians of five alternating
 * runs. Both sides use one thread, but for the compressed batches, which zlib's threads work on.
 */
import {
  decodeReferenceRecords,
  encodeReferenceBatch,
  referenceCrc32c,
} from "../packages/kafka/test/kafkajs-reference.ts";
import type { ReferenceRecord } from "../packages/kafka/test/kafkajs-reference.ts";
import { registerCodecs } from "../packages/kafka/src/kafkajs/compression-codecs.ts";
import type { CompressionName } from "../packages/kafka/src/kafkajs/compression-codecs.ts";
import { crc32c } from "../packages/kafka/src/kafkajs/crc32c.ts";
import { decodeRecords } from "../packages/kafka/src/kafkajs/fetch-response-decoder.ts";
import type { FetchedElement } from "../packages/kafka/src/kafkajs/fetch-response-decoder.ts";
import type { FetchResponse } from "../packages/kafka/src/kafkajs/fetch-response.ts";
import { HeaderNames } from "../packages/kafka/src/kafkajs/header-names.ts";
import { LazyRecord } from "../packages/kafka/src/kafkajs/lazy-record.ts";
import { RecordBatchWriter } from "../packages/kafka/src/kafkajs/record-batch-writer.ts";
import type { WritableRecord } from "../packages/kafka/src/kafkajs/record-batch-writer.ts";
import { measure, printTable, runSideBySide } from "./side-by-side.ts";
import type { Contender } from "./side-by-side.ts";

const RECORDS = 1000;
const RUNS = 5;
const TIME = 1_700_000_000_000;

/** One thing to measure: the same work by kafkajs and by us; each call handles `RECORDS` records. */
interface Subject {
  readonly name: string;
  readonly theirs: () => unknown;
  readonly ours: () => unknown;
}

const records: WritableRecord[] = Array.from({ length: RECORDS }, (_, index) => ({
  key: Buffer.from(`key-${index % 997}`),
  value: Buffer.from(`${index * 2_654_435_761} order ${index} `.repeat(12).slice(0, 256)),
  headers: [
    ["type", Buffer.from("order.created")],
    ["source", Buffer.from("bench")],
    ["trace", Buffer.from(String(index * 7_919).padStart(16, "0"))],
  ],
  timestampMs: TIME + index,
}));

const referenceRecords: ReferenceRecord[] = records.map(({ key, value, headers }, index) => ({
  offsetDelta: index,
  timestampDelta: index,
  key: Buffer.from(key ?? []),
  value: Buffer.from(value ?? []),
  headers: Object.fromEntries(headers.map(([name, bytes]) => [name, Buffer.from(bytes)])),
}));

const headerNames = new HeaderNames();
const writer = new RecordBatchWriter();

function write(compression: CompressionName): Buffer | Promise<Buffer> {
  writer.reset();
  for (const record of records) writer.append(record);
  return writer.finish({ compression });
}

async function writeByClient(compression: number): Promise<Buffer> {
  return await encodeReferenceBatch({
    compression,
    firstTimestamp: TIME,
    maxTimestamp: TIME + RECORDS - 1,
    lastOffsetDelta: RECORDS - 1,
    records: referenceRecords,
  });
}

/** What the decoder makes of a response with this one batch. */
async function decode(bytes: Buffer, verifyChecksums = false): Promise<readonly FetchedElement[]> {
  const fetched = {
    partition: 0,
    errorCode: 0,
    highWatermark: "0",
    lastStableOffset: "0",
    lastStartOffset: "0",
    preferredReadReplica: -1,
    abortedTransactions: [],
    records: bytes,
  };
  const topics = [{ topic: "bench", partitions: [fetched] }];
  const response: FetchResponse = { throttleTimeMs: 0, errorCode: 0, sessionId: 0, topics };
  const [elements] = await decodeRecords(response, {
    fetchOffset: () => 0,
    verifyChecksums,
    headerNames,
  });
  return elements ?? [];
}

async function walk(bytes: Buffer, visit?: (record: LazyRecord) => unknown): Promise<number> {
  let count = 0;
  for (const element of await decode(bytes)) {
    if (element.kind === "unreadable") throw element.error;
    const cursor = element.cursor();
    while (cursor.next()) {
      if (visit === undefined) count += cursor.valueLength;
      else if (visit(new LazyRecord(cursor)) !== undefined) count += 1;
    }
  }
  return count;
}

async function subjects(): Promise<Subject[]> {
  const plain = Buffer.from(await write("none"));
  const client = async (bytes: Buffer): Promise<unknown> => await decodeReferenceRecords(bytes);
  const list: Subject[] = [
    { name: "read: positions only", theirs: () => client(plain), ours: () => walk(plain) },
    {
      name: "read: an object a record",
      theirs: () => client(plain),
      ours: () => walk(plain, (record) => record),
    },
    {
      name: "read: key and value",
      theirs: () => client(plain),
      ours: () => walk(plain, ({ key, value }) => key ?? value),
    },
    {
      name: "read: key, value, headers",
      theirs: () => client(plain),
      ours: () => walk(plain, ({ key, value, headers }) => [key, value, headers]),
    },
    {
      name: "read: positions, checksum",
      theirs: () => client(plain),
      ours: () => decode(plain, true),
    },
    { name: "write", theirs: () => writeByClient(0), ours: () => write("none") },
    { name: "checksum alone", theirs: () => referenceCrc32c(plain), ours: () => crc32c(plain) },
  ];
  for (const [name, number] of [
    ["gzip", 1],
    ["snappy", 2],
    ["zstd", 4],
  ] as const) {
    const packed = await write(name);
    list.push(
      {
        name: `read: key and value, ${name}`,
        theirs: () => client(packed),
        ours: () => walk(packed, ({ key, value }) => key ?? value),
      },
      { name: `write: ${name}`, theirs: () => writeByClient(number), ours: () => write(name) },
    );
  }
  return list;
}

/** As many calls as take about a tenth of a second. */
async function callsWorthMeasuring(work: () => unknown): Promise<number> {
  const started = performance.now();
  let calls = 0;
  while (performance.now() - started < 100) {
    await work();
    calls += 1;
  }
  return calls;
}

async function contender(name: string, work: () => unknown): Promise<Contender> {
  const calls = await callsWorthMeasuring(work);
  return {
    name,
    run: () =>
      measure(calls * RECORDS, async () => {
        for (let call = 0; call < calls; call += 1) await work();
      }),
  };
}

registerCodecs();
for (const { name, theirs, ours } of await subjects()) {
  const contenders = [await contender("kafkajs", theirs), await contender("@bus/kafka", ours)];
  printTable(name, await runSideBySide(contenders, RUNS));
}
