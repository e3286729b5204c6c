import { createRequire } from "node:module";
import { BusConfigError } from "@bus/core";
import kafkajs from "kafkajs";
import type { Kafka } from "kafkajs";

/** The one version of kafkajs whose internals this package knows. It is the last one: the project is frozen. */
export const KNOWN_KAFKAJS_VERSION = "2.2.4";

/** A request together with how its response is decoded and turned into a result, as kafkajs' connections take it. */
export interface ProtocolRequest {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    /** Absent: a response comes. */
    expectResponse?(): boolean;
    /** `buf` is looked at to tell an encoder, `buffer` is what is sent. */
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: {
    /** Called with the response after its correlation id. */
    decode(payload: Buffer): Promise<unknown>;
    parse(decoded: unknown): Promise<unknown>;
  };
  /** Milliseconds; kafkajs takes the longer of this and the client's own `requestTimeout`. */
  readonly requestTimeout?: number;
}

/** All versions of one request; kafkajs looks `protocol` up each time it sends one. */
export interface RequestDefinition<TArguments> {
  readonly versions: readonly string[];
  protocol: (choice: { readonly version: number }) => (args: TArguments) => ProtocolRequest;
}

/** What a kafkajs consumer passes to its Fetch request. */
export interface FetchArguments {
  readonly rackId?: unknown;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

/** A broker of a kafkajs cluster; connected when it comes from `findBroker`. */
export interface KafkajsBroker {
  readonly nodeId: number;
  readonly connectionPool: { send(request: ProtocolRequest): Promise<unknown> };
  /** The request in the highest version that both sides know. */
  lookupRequest<TArguments>(
    apiKey: number,
    definition: RequestDefinition<TArguments>,
  ): (args: TArguments) => ProtocolRequest;
  initProducerId(request: {
    readonly transactionalId?: string;
    readonly transactionTimeout?: number;
  }): Promise<{ readonly producerId: string; readonly producerEpoch: number }>;
  disconnect(): Promise<void>;
}

/** Metadata of one partition, as the cluster knows it at the moment. */
export interface KafkajsPartitionMetadata {
  readonly partitionId: number;
  /** Node id; -1 while there is none. */
  readonly leader: number;
}

/** Connections and metadata of one kafkajs client. */
export interface KafkajsCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly KafkajsPartitionMetadata[];
  findBroker(node: { readonly nodeId: number }): Promise<KafkajsBroker>;
  findControllerBroker(): Promise<KafkajsBroker>;
  removeBroker(address: { readonly host: string; readonly port: number }): void;
}

/** What this package uses of kafkajs beyond its public interface. */
export interface KafkajsInternals {
  /** Of every consumer in the process; kafkajs looks it up for each request. */
  readonly fetch: RequestDefinition<FetchArguments>;
}

/** The internals, or why they are not to be had; then kafkajs is used as it is. */
export type KafkajsInternalsLookup =
  | { readonly kind: "available"; readonly internals: KafkajsInternals }
  | { readonly kind: "unavailable"; readonly reason: string };

/**
 * Load what this package uses of kafkajs beyond its public interface.
 *
 * The only place that imports from inside kafkajs, and only after its version was found to be `KNOWN_KAFKAJS_VERSION`:
 * hence `require` at run time in place of an import, which would fail with another version before anything could be
 * checked. The modules are those of the running client, also when the application loaded kafkajs first.
 */
export function loadKafkajsInternals(): KafkajsInternalsLookup {
  const require = createRequire(import.meta.url);
  try {
    // What kafkajs 2.2.4 ships; the shapes are declared above and proven by this package's tests.
    const { version } = require("kafkajs/package.json") as { readonly version: string };
    if (version !== KNOWN_KAFKAJS_VERSION)
      return unavailable(`kafkajs is ${version}, only ${KNOWN_KAFKAJS_VERSION} is known`);
    if (require("kafkajs") !== kafkajs)
      return unavailable("kafkajs is loaded twice, for example bundled");
    const { requests } = require("kafkajs/src/protocol/requests") as {
      readonly requests: { readonly Fetch: RequestDefinition<FetchArguments> };
    };
    return { kind: "available", internals: { fetch: requests.Fetch } };
  } catch (error) {
    return unavailable(`kafkajs could not be looked into: ${String(error)}`);
  }
}

/** Options of `createCluster`, as kafkajs' own producers set them. */
export interface ClusterOptions {
  readonly metadataMaxAge: number;
  readonly allowAutoTopicCreation: boolean;
  /** Per connection; further requests wait inside kafkajs. */
  readonly maxInFlightRequests?: number;
}

/**
 * A cluster with the settings of a kafkajs client: brokers, TLS, SASL, time-outs, logger. Not connected yet.
 *
 * @throws BusConfigError `BUS_UNSUPPORTED` when the client is not of the known version.
 */
export function createCluster(kafka: Kafka, options: ClusterOptions): KafkajsCluster {
  const key = Object.getOwnPropertySymbols(kafka).find(
    (symbol) => symbol.description === "private:Kafka:createCluster",
  );
  // kafkajs keeps this factory under a private symbol; its options and result are those of src/index.js of the known version.
  const create: unknown = key === undefined ? undefined : Reflect.get(kafka, key);
  if (typeof create === "function") return create(options) as KafkajsCluster;
  throw new BusConfigError(
    "BUS_UNSUPPORTED",
    `a kafkajs client of version ${KNOWN_KAFKAJS_VERSION} is needed to produce`,
  );
}

function unavailable(reason: string): KafkajsInternalsLookup {
  return { kind: "unavailable", reason };
}
