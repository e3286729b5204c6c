import { BusConfigError, BusTransportError } from "@bus/core";
import type {
  KafkajsBroker,
  KafkajsCluster,
  ProtocolRequest,
  RequestDefinition,
} from "./kafkajs-internals.ts";
import { WireReader } from "./wire-reader.ts";

/** Key of the Produce API in the Kafka protocol. */
const PRODUCE = 0;

/** A broker may use up the request's own time-out; the answer needs some time beyond. */
const ANSWER_MARGIN_MS = 1000;

/** One finished record batch on its way to a partition. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  /** From `RecordBatchWriter`; read until the call settles. */
  readonly batch: Buffer;
}

/** One Produce request, for partitions that one broker leads. */
export interface ProduceRequest {
  /** -1: all in-sync replicas, 1: the leader, 0: nobody answers. */
  readonly acks: -1 | 0 | 1;
  /** How long the broker may wait for its replicas, in milliseconds. */
  readonly timeoutMs: number;
  readonly transactionalId?: string;
  /** At most one batch of each partition. */
  readonly partitions: readonly PartitionBatch[];
}

/** What became of one batch. */
export interface ProducedBatch {
  readonly topic: string;
  readonly partition: number;
  /** Kafka's error code; 0: stored. The other fields mean something only then. */
  readonly errorCode: number;
  /** Offset of the batch's first record. Of a batch that the broker had already, that of the first time; -1 if unknown. */
  readonly baseOffset: bigint;
  /** When the broker stored it, in topics with log append time; else -1. */
  readonly logAppendTimeMs: number;
}

/**
 * Send record batches to the broker that leads their partitions, in one request, once: no retries, no look-ups.
 *
 * @param broker - From `cluster.findBroker`.
 * @returns One result per partition of the answer; empty with `acks: 0`. Errors of single partitions are results.
 * @throws Errors of kafkajs when the connection fails or no answer comes (then the batches may or may not be stored), and
 *   `BUS_CORRUPT` when the answer cannot be read.
 *
 * Source: Kafka protocol guide, Produce API (key 0), versions 3 to 7.
 */
export async function sendProduce(
  broker: KafkajsBroker,
  request: ProduceRequest,
): Promise<readonly ProducedBatch[]> {
  try {
    const answer = await broker.connectionPool.send(
      broker.lookupRequest(PRODUCE, DEFINITION)(request),
    );
    if (answer === undefined) return [];
    // What `decodeResponse` below made; kafkajs hands it through.
    return (answer as ProduceResponse).batches.map(({ baseOffset, ...batch }) => ({
      ...batch,
      baseOffset: BigInt(baseOffset),
    }));
  } catch (error) {
    // As kafkajs' own broker does: a closed connection is given up, so that the next look-up connects again.
    if (error instanceof Error && error.name === "KafkaJSConnectionClosedError")
      await broker.disconnect();
    throw error;
  }
}

/** A producer's identity: the broker remembers its last sequence numbers per partition. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/**
 * Get the identity of a new idempotent producer.
 *
 * Sequence numbers then start at 0 in every partition. No retries.
 */
export async function initProducerId(cluster: KafkajsCluster): Promise<ProducerIdentity> {
  const broker = await cluster.findControllerBroker();
  const { producerId, producerEpoch } = await broker.initProducerId({});
  return { producerId: BigInt(producerId), producerEpoch };
}

const DEFINITION: RequestDefinition<ProduceRequest> = {
  versions: ["3", "4", "5", "6", "7"],
  protocol: ({ version }) => {
    if (version < 3)
      throw new BusConfigError(
        "BUS_UNSUPPORTED",
        `Kafka 0.11 or later is needed, the broker speaks version ${version} of the Produce request`,
      );
    return (request) => protocolRequest(request, version);
  },
};

/** JSON can hold it: kafkajs writes it into its debug log. */
interface ProduceResponse {
  readonly clientSideThrottleTime: number | null;
  readonly batches: readonly (Omit<ProducedBatch, "baseOffset"> & {
    readonly baseOffset: string;
  })[];
}

function protocolRequest(request: ProduceRequest, version: number): ProtocolRequest {
  return {
    request: {
      apiKey: PRODUCE,
      apiVersion: version,
      apiName: "Produce",
      expectResponse: () => request.acks !== 0,
      encode: async () => {
        const buffer = encodeRequest(request);
        return { buf: buffer, buffer };
      },
    },
    response: {
      decode: async (payload) => decodeResponse(payload, version),
      parse: async (decoded) => decoded,
    },
    requestTimeout: request.timeoutMs + ANSWER_MARGIN_MS,
  };
}

function encodeRequest(request: ProduceRequest): Buffer {
  const topics = byTopic(request.partitions);
  const pieces = [
    text(request.transactionalId),
    int16(request.acks),
    int32(request.timeoutMs),
    int32(topics.size),
  ];
  for (const [topic, partitions] of topics) {
    pieces.push(text(topic), int32(partitions.length));
    for (const { partition, batch } of partitions)
      pieces.push(int32(partition), int32(batch.length), batch);
  }
  return Buffer.concat(pieces);
}

function byTopic(batches: readonly PartitionBatch[]): Map<string, PartitionBatch[]> {
  const topics = new Map<string, PartitionBatch[]>();
  for (const batch of batches) {
    const partitions = topics.get(batch.topic);
    if (partitions === undefined) topics.set(batch.topic, [batch]);
    else partitions.push(batch);
  }
  return topics;
}

function decodeResponse(payload: Buffer, version: number): ProduceResponse {
  const reader = new WireReader(payload);
  try {
    const topics = reader.array(() => {
      const topic = reader.string();
      return reader.array(() => {
        const batch = {
          topic,
          partition: reader.int32(),
          errorCode: reader.int16(),
          baseOffset: String(reader.int64()),
          logAppendTimeMs: Number(reader.int64()),
        };
        if (version >= 5) reader.int64(); // Log start offset.
        return batch;
      });
    });
    const throttleTime = reader.int32();
    // Since version 6 the client, not the broker, holds the next request back (KIP-219).
    return { clientSideThrottleTime: version >= 6 ? throttleTime : null, batches: topics.flat() };
  } catch (error) {
    throw new BusTransportError("BUS_CORRUPT", "a produce response ends in the middle of a field", {
      cause: error,
    });
  }
}

function text(value: string | undefined): Buffer {
  if (value === undefined) return int16(-1);
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([int16(bytes.length), bytes]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}
