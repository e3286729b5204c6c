import kafkajs from "kafkajs";
import type { ConsumerConfig, KafkaConfig, SASLOptions } from "kafkajs";
import type { DriverOptions, SaslOptions } from "../driver-options.ts";

/** How soon moved leaders are noticed; kafkajs looks for them by itself only after errors. */
const METADATA_MAX_AGE_MS = 5_000;

/** Retries inside kafkajs for look-ups; what is worth more than a second is retried by us, with what we know. */
const LOOK_UP_RETRY = Object.freeze({ retries: 3, initialRetryTime: 100, maxRetryTime: 800 });

/** A dead coordinator is called until these are used up, then the consumer is rebuilt and finds the new one. */
const CONSUMER_RETRY = Object.freeze({ retries: 2, initialRetryTime: 100, maxRetryTime: 800 });

/** kafkajs' properties of every client, without the logger. Made anew for each client: kafkajs writes into `sasl`. */
export function commonProperties(options: DriverOptions): KafkaConfig {
  const { brokers, clientId, net, client } = options;
  return {
    brokers: [...brokers],
    clientId,
    connectionTimeout: net.dialTimeoutMs,
    authenticationTimeout: net.dialTimeoutMs,
    requestTimeout: net.readTimeoutMs,
    ...(net.tls === undefined ? {} : { ssl: { ...net.tls } }),
    ...(net.sasl === undefined ? {} : { sasl: saslProperties(net.sasl) }),
    logLevel: kafkajs.logLevel.WARN,
    retry: { ...LOOK_UP_RETRY },
    ...client.common,
  };
}

/** kafkajs' properties of a consumer. */
export function consumerProperties(options: DriverOptions, groupId: string): ConsumerConfig {
  const { consumer, client } = options;
  return {
    groupId,
    sessionTimeout: consumer.sessionTimeoutMs,
    heartbeatInterval: consumer.heartbeatIntervalMs,
    rebalanceTimeout: consumer.rebalanceTimeoutMs,
    minBytes: consumer.fetchMinBytes,
    maxBytes: consumer.fetchMaxBytes,
    maxWaitTimeInMs: consumer.fetchMaxWaitMs,
    maxBytesPerPartition: consumer.maxPartitionFetchBytes,
    readUncommitted: consumer.isolationLevel === "read_uncommitted",
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    retry: { ...CONSUMER_RETRY },
    ...client.consumer,
  };
}

/** kafkajs' properties of a producer's connections; batching, retries and sequence numbers are this package's own. */
export function producerProperties(options: DriverOptions): {
  readonly metadataMaxAge: number;
  readonly allowAutoTopicCreation: boolean;
} {
  return {
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    ...options.client.producer,
  };
}

function saslProperties(sasl: SaslOptions): SASLOptions {
  if (sasl.mechanism !== "oauthbearer") return { ...sasl };
  return {
    mechanism: "oauthbearer",
    oauthBearerProvider: async () => ({ value: (await sasl.provider()).value }),
  };
}
