import { BusConfigError, BusTransportError } from "@bus/core";
import type { KafkajsBroker, ProtocolRequest, RequestDefinition } from "./kafkajs-internals.ts";
import { WireReader } from "./wire-reader.ts";

/** Key of the Metadata API in the Kafka protocol. */
const METADATA = 3;
const FIRST_VERSION = 4;

/** One partition as the cluster knows it. */
export interface PartitionMetadata {
  readonly partition: number;
  /** Node id; −1 while there is none. */
  readonly leader: number;
  readonly replicas: readonly number[];
}

/** One topic as the cluster knows it. */
export interface TopicMetadata {
  readonly topic: string;
  /** Kafka's error code; 0: none. */
  readonly errorCode: number;
  /** In the order of their numbers. */
  readonly partitions: readonly PartitionMetadata[];
}

/**
 * Ask a broker about topics. One that is missing or forbidden is an entry with an error code and does not hide the
 * others, as it does with kafkajs' own request.
 *
 * @param topics - None: the question is a sign of life and nothing else. Missing topics are never created.
 *
 * Source: Kafka protocol guide, Metadata API (key 3), versions 4 to 6.
 */
export async function requestMetadata(
  broker: KafkajsBroker,
  topics: readonly string[],
): Promise<readonly TopicMetadata[]> {
  const answer = await broker.connectionPool.send(
    broker.lookupRequest(METADATA, DEFINITION)(topics),
  );
  // What `decodeAnswer` below made; kafkajs hands it through.
  return (answer as MetadataAnswer).topics;
}

interface MetadataAnswer {
  /** kafkajs reads it of every answer. */
  readonly clientSideThrottleTime: null;
  readonly topics: readonly TopicMetadata[];
}

const DEFINITION: RequestDefinition<readonly string[]> = {
  versions: ["4", "5", "6"],
  protocol: ({ version }) => {
    if (version < FIRST_VERSION)
      throw new BusConfigError(
        "BUS_UNSUPPORTED",
        `Kafka 0.11 or later is needed, the broker speaks version ${version} of the Metadata request`,
      );
    return (topics) => protocolRequest(topics, version);
  },
};

function protocolRequest(topics: readonly string[], version: number): ProtocolRequest {
  return {
    request: {
      apiKey: METADATA,
      apiVersion: version,
      apiName: "Metadata",
      encode: async () => {
        const buffer = encodeTopics(topics);
        return { buf: buffer, buffer };
      },
    },
    response: {
      decode: async (payload) => decodeAnswer(payload, version),
      parse: async (decoded) => decoded,
    },
  };
}

function encodeTopics(topics: readonly string[]): Buffer {
  const names = topics.map((topic) => Buffer.from(topic, "utf8"));
  const buffer = Buffer.alloc(4 + names.reduce((sum, name) => sum + 2 + name.length, 0) + 1);
  let at = buffer.writeInt32BE(names.length, 0);
  for (const name of names) {
    at = buffer.writeInt16BE(name.length, at);
    at += name.copy(buffer, at);
  }
  return buffer; // The last byte: topics are not to be created.
}

function decodeAnswer(payload: Buffer, version: number): MetadataAnswer {
  const reader = new WireReader(payload);
  try {
    reader.int32(); // Throttle time.
    reader.array(skipBroker);
    reader.string(); // Cluster id.
    reader.int32(); // Controller.
    const topics = reader.array(() => readTopic(reader, version));
    return { clientSideThrottleTime: null, topics };
  } catch (error) {
    throw new BusTransportError(
      "BUS_CORRUPT",
      "a metadata response ends in the middle of a field",
      { cause: error },
    );
  }
}

function skipBroker(reader: WireReader): void {
  reader.int32(); // Node id.
  reader.string(); // Host.
  reader.int32(); // Port.
  reader.string(); // Rack.
}

function readTopic(reader: WireReader, version: number): TopicMetadata {
  const errorCode = reader.int16();
  const topic = reader.string();
  reader.bytes(1); // Whether it is internal.
  const partitions = reader.array(() => {
    reader.int16(); // Its own error: the leader says it better.
    const partition = reader.int32();
    const leader = reader.int32();
    const replicas = reader.array(() => reader.int32());
    reader.array(() => reader.int32()); // In sync.
    if (version >= 5) reader.array(() => reader.int32()); // Offline.
    return { partition, leader, replicas };
  });
  return { topic, errorCode, partitions: partitions.toSorted((a, b) => a.partition - b.partition) };
}
