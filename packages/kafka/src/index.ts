import { defineTransport } from "@bus/core";
import type { TransportDefinition } from "@bus/core";
import type { KafkaOptions } from "./kafka-options.ts";
import { KAFKA_OPTION_SCHEMA } from "./kafka-schema.ts";
import { KafkaTransport } from "./kafka-transport.ts";

/**
 * Kafka as a transport: `kafka({ brokers: ["localhost:9092"], driver: kafkajsDriver() })`.
 *
 * @throws BusConfigError `BUS_CONFIG` for a wrong option; `BUS_UNSUPPORTED`, when the bus creates it, for one that the
 *   driver cannot honour.
 */
export const kafka: TransportDefinition<KafkaOptions> = defineTransport({
  name: "kafka",
  options: KAFKA_OPTION_SCHEMA,
  create: (options, host) => new KafkaTransport(options, host),
});

export { KAFKA_DEFAULTS, KAFKA_DRIVER_DEFAULTS } from "./kafka-defaults.ts";

export type {
  ConsumerSink,
  DeliveryOwner,
  DriverAdmin,
  DriverConsumer,
  DriverOffsets,
  DriverProducer,
  DriverTopic,
  DriverTopics,
  DriverTransaction,
  DriverTransactions,
  FetchedRecords,
  KafkaDriver,
  KafkaDriverFactory,
  OutgoingRecord,
  OwnedDelivery,
  PartitionEnds,
  PartitionOffset,
  RecordDecoder,
  RecordWalk,
} from "./kafka-driver.ts";
export type { DriverDefaults } from "./kafka-defaults.ts";
export type {
  ClientOptions,
  Compression,
  ConsumerOptions,
  DriverOptions,
  NetOptions,
  OauthToken,
  Partitioner,
  ProducerOptions,
  ResolvedConsumerOptions,
  ResolvedNetOptions,
  ResolvedProducerOptions,
  ResolvedTopicsOptions,
  SaslOptions,
  TlsOptions,
  TopicSettings,
  TopicsOptions,
  UnreadableRange,
} from "./driver-options.ts";
export type { KafkaDriverName, KafkaOptions, ResolvedKafkaOptions } from "./kafka-options.ts";
