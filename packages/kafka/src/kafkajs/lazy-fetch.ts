import type { ConsumerConfig } from "kafkajs";
import { decodeRecords, hasMessageSets } from "./fetch-response-decoder.ts";
import type { FetchedElement } from "./fetch-response-decoder.ts";
import { FETCH_VERSIONS, readFetchResponse } from "./fetch-response.ts";
import type { FetchResponse } from "./fetch-response.ts";
import { HeaderNames } from "./header-names.ts";
import { loadKafkajsInternals } from "./kafkajs-internals.ts";
import type { FetchArguments, ProtocolRequest, RequestDefinition } from "./kafkajs-internals.ts";

/** How a consumer's fetch responses are decoded. */
export interface LazyFetchOptions {
  /** kafkajs' consumer option `rackId`, to read from the nearest replica. @defaultValue "" */
  readonly rackId?: string;
  /** Compare every record batch with its CRC-32C, about 0.5 ns a byte. @defaultValue false */
  readonly verifyChecksums?: boolean;
}

/** Which decoder a consumer's messages come from; for health and `describe()`. */
export type FetchDecoder =
  | { readonly kind: "lazy" }
  /** kafkajs' own: an element of `batch.messages` per message, several times slower. */
  | { readonly kind: "client"; readonly reason: string };

/** Whether `installLazyFetch` could do its work. */
export type LazyFetchInstallation =
  | { readonly active: true }
  | { readonly active: false; readonly reason: string };

/**
 * Lazy fetching of one consumer: `kafka.consumer(fetch.consumerConfig({ groupId }))`.
 *
 * The object itself travels as the consumer's `rackId` through kafkajs to each of its Fetch requests and tells there
 * whose request it is: no other consumer of the process is touched. On the wire stands the real rack id.
 */
export class LazyFetch {
  /** The real rack id. */
  readonly rackId: string;
  readonly verifyChecksums: boolean;
  /** Header names seen by this consumer. */
  readonly headerNames: HeaderNames = new HeaderNames();
  readonly #isInstalled: boolean;
  #decoder: FetchDecoder;

  /** Installs the decoder in kafkajs when that has not been done; see `decoder` for whether it could be. */
  constructor(options: LazyFetchOptions = {}) {
    const installation = installLazyFetch();
    this.rackId = options.rackId ?? "";
    this.verifyChecksums = options.verifyChecksums ?? false;
    this.#isInstalled = installation.active;
    this.#decoder = installation.active ? LAZY : { kind: "client", reason: installation.reason };
  }

  /** What decoded the last response, or will decode the first one. */
  get decoder(): FetchDecoder {
    return this.#decoder;
  }

  /** Called for every response. */
  decodedBy(decoder: FetchDecoder): void {
    this.#decoder = decoder;
  }

  /**
   * The configuration of a consumer whose `eachBatch` gets `FetchedElement`s in `batch.messages`, or, for as long as
   * `decoder` says so, kafkajs' own messages: tell them apart by `kind`.
   */
  consumerConfig(config: ConsumerConfig): ConsumerConfig {
    if (!this.#isInstalled) return { ...config, rackId: this.rackId };
    return Object.assign({ ...config }, { rackId: this });
  }
}

const LAZY: FetchDecoder = Object.freeze({ kind: "lazy" });

/** Marks the function that this copy of the module put into kafkajs. */
const OURS = Symbol("lazy fetch");

/**
 * Let kafkajs decode the fetch responses of `LazyFetch` consumers with this package's decoder.
 *
 * Done once per process however often it is called. Works after the application has loaded kafkajs and connected:
 * the request is looked up each time it is sent. Only with the version of kafkajs whose internals are known.
 */
export function installLazyFetch(): LazyFetchInstallation {
  const lookup = loadKafkajsInternals();
  if (lookup.kind === "unavailable") return { active: false, reason: lookup.reason };
  const { fetch } = lookup.internals;
  if (Object.hasOwn(fetch.protocol, OURS)) return { active: true };
  const protocol = Object.assign(lazyProtocol(fetch.protocol), { [OURS]: true });
  if (Reflect.set(fetch, "protocol", protocol)) return { active: true };
  return { active: false, reason: "kafkajs' request definitions are frozen" };
}

type FetchProtocol = RequestDefinition<FetchArguments>["protocol"];

function lazyProtocol(original: FetchProtocol): FetchProtocol {
  return ({ version }) => {
    const create = original({ version });
    return (args) => {
      const consumer = args.rackId;
      if (!(consumer instanceof LazyFetch)) return create(args);
      return lazyRequest(create({ ...args, rackId: consumer.rackId }), {
        version,
        consumer,
        topics: args.topics,
      });
    };
  };
}

interface LazyRequest {
  readonly version: number;
  readonly consumer: LazyFetch;
  readonly topics: FetchArguments["topics"];
}

function lazyRequest(own: ProtocolRequest, lazy: LazyRequest): ProtocolRequest {
  const { version, consumer } = lazy;
  if (version < FETCH_VERSIONS.min || version > FETCH_VERSIONS.max) {
    consumer.decodedBy({
      kind: "client",
      reason: `the broker speaks version ${version} of the Fetch request`,
    });
    return own;
  }
  const decode = async (payload: Buffer): Promise<unknown> => {
    const response = readFetchResponse(payload, version);
    if (hasMessageSets(response)) {
      consumer.decodedBy({
        kind: "client",
        reason: "a topic holds messages in a format older than Kafka 0.11",
      });
      return await own.response.decode(payload);
    }
    const { verifyChecksums, headerNames } = consumer;
    const elements = await decodeRecords(response, {
      fetchOffset: fetchOffsets(lazy.topics),
      verifyChecksums,
      headerNames,
    });
    consumer.decodedBy(LAZY);
    return forKafkajs(response, elements, version);
  };
  return { ...own, response: { decode, parse: (decoded) => own.response.parse(decoded) } };
}

function fetchOffsets(
  topics: FetchArguments["topics"],
): (topic: string, partition: number) => number {
  const offsets = new Map<string, number>();
  for (const { topic, partitions } of topics) {
    for (const { partition, fetchOffset } of partitions)
      offsets.set(`${topic}/${partition}`, Number(fetchOffset));
  }
  return (topic, partition) => offsets.get(`${topic}/${partition}`) ?? 0;
}

/** The response as kafkajs' consumer reads it. Aborted transactions are dealt with already, and better than there. */
function forKafkajs(
  response: FetchResponse,
  elements: readonly FetchedElement[][],
  version: number,
): object {
  // Since version 8 the client, not the broker, holds the next request back (KIP-219).
  const clientSideThrottleTime = version >= 8 ? response.throttleTimeMs : null;
  let next = 0;
  return {
    throttleTime: version >= 8 ? 0 : response.throttleTimeMs,
    clientSideThrottleTime,
    errorCode: response.errorCode,
    sessionId: response.sessionId,
    responses: response.topics.map(({ topic, partitions }) => ({
      topicName: topic,
      partitions: partitions.map(({ records: _records, ...fetched }) => ({
        ...fetched,
        abortedTransactions: [],
        messages: elements[next++] ?? [],
      })),
    })),
  };
}
