import { BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import { wait } from "@bus/core/adapter";
import type { TopicPositions } from "./group-membership.ts";
import { createCluster } from "./kafkajs-internals.ts";
import type { ClusterOptions, KafkajsBroker, KafkajsCluster } from "./kafkajs-internals.ts";
import type { DescribeConfigResponse, ITopicConfig } from "kafkajs";
import type { KafkajsClient } from "./kafkajs-client.ts";
import { requestMetadata } from "./metadata-request.ts";
import type { TopicMetadata } from "./metadata-request.ts";

/** How long a polite end may take before the sockets are closed. */
const CLOSE_PATIENCE_MS = 2_000;

/** How long a broker may be silent until the next one is asked as well. */
const SILENCE_MS = 1_000;

/** Coordinator type of the FindCoordinator request. */
const TRANSACTION_COORDINATOR = 1;

/** What a connection needs. */
export interface ClusterConnectionParts {
  readonly client: KafkajsClient;
  readonly clock: Clock;
  readonly options: ClusterOptions;
}

/** Offsets by topic and partition, as kafkajs answers. */
export interface OffsetsAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
  }[];
}

/** Who makes a request of a transaction. */
export interface TransactionRequest {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** A broker of kafkajs 2.2.4 with the requests that this package makes of it; they reject with kafkajs' errors. */
export interface RequestBroker extends KafkajsBroker {
  listOffsets(request: {
    readonly isolationLevel: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
    }[];
  }): Promise<OffsetsAnswer>;
  /** No topics: all that the group has positions in. */
  offsetFetch(request: {
    readonly groupId: string;
    readonly topics: readonly [];
  }): Promise<OffsetsAnswer>;
  addPartitionsToTxn(
    request: TransactionRequest & {
      readonly topics: readonly {
        readonly topic: string;
        readonly partitions: readonly number[];
      }[];
    },
  ): Promise<unknown>;
  addOffsetsToTxn(request: TransactionRequest & { readonly groupId: string }): Promise<unknown>;
  txnOffsetCommit(
    request: TransactionRequest & {
      readonly groupId: string;
      readonly topics: readonly TopicPositions[];
    },
  ): Promise<unknown>;
  endTxn(request: TransactionRequest & { readonly transactionResult: boolean }): Promise<unknown>;
  createTopics(request: {
    readonly topics: readonly ITopicConfig[];
    readonly timeout: number;
  }): Promise<unknown>;
  deleteTopics(request: {
    readonly topics: readonly string[];
    readonly timeout: number;
  }): Promise<unknown>;
  describeConfigs(request: {
    readonly resources: readonly { readonly type: number; readonly name: string }[];
  }): Promise<DescribeConfigResponse>;
}

interface RequestCluster extends KafkajsCluster {
  getNodeIds(): readonly string[];
  findGroupCoordinator(group: {
    readonly groupId: string;
    readonly coordinatorType?: number;
  }): Promise<RequestBroker>;
  findControllerBroker(): Promise<RequestBroker>;
}

/** The connections of one role (producer, admin) to all brokers, with kafkajs' part in them kept small: sockets, TLS, SASL. */
export class ClusterConnection {
  readonly #parts: ClusterConnectionParts;
  readonly #cluster: RequestCluster;
  #nextNode = 0;

  constructor(parts: ClusterConnectionParts) {
    this.#parts = parts;
    // What kafkajs 2.2.4 has beyond the declared; proven by this package's tests against a real broker.
    this.#cluster = createCluster(parts.client.kafka, parts.options) as RequestCluster;
  }

  /** For requests that go to no broker in particular. */
  get cluster(): KafkajsCluster {
    return this.#cluster;
  }

  /** Reach a broker and authenticate. Rejects with kafkajs' error. */
  async connect(): Promise<void> {
    await this.#cluster.connect();
    if (this.#cluster.getNodeIds().length === 0) await this.#cluster.refreshMetadata();
  }

  /** The broker with this id, connected. Rejects with kafkajs' error. */
  async broker(nodeId: number): Promise<RequestBroker> {
    await this.connect();
    // createCluster's brokers are those that `RequestBroker` describes.
    return (await this.#cluster.findBroker({ nodeId })) as RequestBroker;
  }

  /** The ids of all brokers that are known. */
  nodeIds(): readonly number[] {
    return this.#cluster.getNodeIds().map(Number);
  }

  /** The broker that changes the cluster. */
  async controller(): Promise<RequestBroker> {
    await this.connect();
    return await this.#cluster.findControllerBroker();
  }

  async coordinator(groupId: string): Promise<RequestBroker> {
    await this.connect();
    return await this.#cluster.findGroupCoordinator({ groupId });
  }

  async transactionCoordinator(transactionalId: string): Promise<RequestBroker> {
    await this.connect();
    const coordinatorType = TRANSACTION_COORDINATOR;
    return await this.#cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType });
  }

  /**
   * What the cluster knows of topics, from the first broker that answers: one that fails, or is silent for long, is
   * given up for the next one. Rejects with the last error when none answers.
   */
  async metadata(topics: readonly string[]): Promise<readonly TopicMetadata[]> {
    await this.connect();
    const nodes = this.nodeIds();
    const silences = new AbortController();
    const answers = nodes.map(async (_, index) => {
      if (index > 0) await wait(this.#parts.clock, index * SILENCE_MS, silences.signal);
      if (silences.signal.aborted)
        throw new BusTransportError("BUS_ABORTED", "another broker was faster");
      return await this.#askNext(topics, nodes);
    });
    try {
      return await Promise.any(answers);
    } catch (error) {
      throw error instanceof AggregateError ? error.errors.at(-1) : error;
    } finally {
      silences.abort();
    }
  }

  async #askNext(
    topics: readonly string[],
    nodes: readonly number[],
  ): Promise<readonly TopicMetadata[]> {
    // Whoever answers is asked first the next time.
    const turn = this.#nextNode;
    this.#nextNode += 1;
    const metadata = await requestMetadata(
      await this.broker(nodes[turn % nodes.length] ?? 0),
      topics,
    );
    this.#nextNode = turn;
    return metadata;
  }

  async close(): Promise<void> {
    const { clock, client } = this.#parts;
    const cancel = clock.schedule(() => client.sockets.destroy(), CLOSE_PATIENCE_MS);
    try {
      await this.#cluster.disconnect();
    } catch {
      // It was to end, and it has: the sockets are closed below.
    }
    cancel();
    client.sockets.destroy();
  }
}
