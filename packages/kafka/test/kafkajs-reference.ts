import { createRequire } from "node:module";

/** What kafkajs' encoder and decoder make of a batch: the reference that ours are compared with. */

interface ReferenceEncoder {
  readonly buffer: Buffer;
}

/** One message as kafkajs' own decoder gives it. */
export interface ReferenceMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | Buffer[]>>;
  readonly isControlRecord: boolean;
}

/** One record as kafkajs' encoder takes it. */
export interface ReferenceRecord {
  readonly offsetDelta: number;
  readonly timestampDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | Buffer[]>>;
}

/** Header fields that kafkajs' encoder takes. */
export interface ReferenceBatch {
  readonly compression?: number;
  readonly firstOffset?: number;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly lastOffsetDelta: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly firstSequence?: number;
  readonly transactional?: boolean;
  readonly records: readonly ReferenceRecord[];
}

/** A partition as kafkajs' fetch decoders give it. */
export interface ReferencePartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly lastStartOffset?: string;
  readonly preferredReadReplica?: number;
  readonly messages: readonly ReferenceMessage[];
}

/** A fetch response as kafkajs' fetch decoders give it. */
export interface ReferenceFetchResponse {
  readonly throttleTime: number;
  readonly clientSideThrottleTime?: number;
  readonly errorCode?: number;
  readonly sessionId?: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly ReferencePartition[];
  }[];
}

/** The batch of a consumer: applies kafkajs' own filters and positions. */
export interface ReferenceConsumerBatch {
  readonly messages: readonly unknown[];
  lastOffset(): string;
}

interface ReferenceProtocol {
  readonly request: { encode(): Promise<ReferenceEncoder> };
  readonly response: { decode(payload: Buffer): Promise<unknown> };
}

const require = createRequire(import.meta.url);
const Decoder = require("kafkajs/src/protocol/decoder") as new (bytes: Buffer) => object;
const recordBatch = require("kafkajs/src/protocol/recordBatch/v0") as {
  readonly RecordBatch: (batch: object) => Promise<ReferenceEncoder>;
};
const encodeRecord = require("kafkajs/src/protocol/recordBatch/record/v0") as (
  record: ReferenceRecord,
) => ReferenceEncoder;
const decodeMessages = require("kafkajs/src/protocol/requests/fetch/v4/decodeMessages") as (
  decoder: object,
) => Promise<readonly ReferenceMessage[]>;
const encodeMessageSet = require("kafkajs/src/protocol/messageSet") as (
  messages: object,
) => ReferenceEncoder;

/** kafkajs' byte-wise CRC-32C. */
export const referenceCrc32c = require("kafkajs/src/protocol/recordBatch/crc32C") as (
  bytes: Buffer,
) => number;

/** What kafkajs' consumer makes of a decoded partition. */
export const ReferenceBatchOfConsumer = require("kafkajs/src/consumer/batch") as new (
  topic: string,
  fetchedOffset: string,
  partition: object,
) => ReferenceConsumerBatch;

/** A record batch as kafkajs' producer would write it. */
export async function encodeReferenceBatch(batch: ReferenceBatch): Promise<Buffer> {
  const records = batch.records.map((record) => encodeRecord(record));
  return Buffer.from((await recordBatch.RecordBatch({ ...batch, records })).buffer);
}

/** Messages of format 1 with offsets from 0, as a partition written before Kafka 0.11 holds them. */
export function encodeReferenceMessageSet(
  entries: readonly { readonly key: string; readonly value: string; readonly timestamp: number }[],
): Buffer {
  const bytes = Buffer.from(
    encodeMessageSet({ messageVersion: 1, compression: 0, entries }).buffer,
  );
  let at = 0;
  for (let offset = 0; at < bytes.length; offset += 1) {
    bytes.writeBigInt64BE(BigInt(offset), at);
    at += 12 + bytes.readInt32BE(at + 8);
  }
  return bytes;
}

/** All messages of a partition's records, control records included, by kafkajs' own decoder. */
export async function decodeReferenceRecords(
  records: Buffer,
): Promise<readonly ReferenceMessage[]> {
  const sized = Buffer.alloc(4 + records.length);
  sized.writeInt32BE(records.length);
  records.copy(sized, 4);
  return await decodeMessages(new Decoder(sized));
}

/** A whole fetch response by kafkajs' own decoder. */
export async function decodeReferenceFetch(
  payload: Buffer,
  version: number,
): Promise<ReferenceFetchResponse> {
  const response = require(`kafkajs/src/protocol/requests/fetch/v${version}/response`) as {
    decode(payload: Buffer): Promise<ReferenceFetchResponse>;
  };
  return await response.decode(payload);
}

/** A Produce request by kafkajs' own encoder. */
export async function encodeReferenceProduce(request: object, version: number): Promise<Buffer> {
  const produce = require("kafkajs/src/protocol/requests/produce") as {
    protocol(choice: { readonly version: number }): (request: object) => ReferenceProtocol;
  };
  return Buffer.from((await produce.protocol({ version })(request).request.encode()).buffer);
}
