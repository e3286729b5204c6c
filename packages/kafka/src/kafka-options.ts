import type {
  ClientOptions,
  ConsumerOptions,
  DriverOptions,
  NetOptions,
  ProducerOptions,
  TopicsOptions,
} from "./driver-options.ts";
import type { KafkaDriverFactory } from "./kafka-driver.ts";

/** Drivers of this package, by the name that a configuration file gives them. */
export type KafkaDriverName = "kafkajs" | "confluent";

/** Options of `kafka()`. */
export interface KafkaOptions {
  /** Addresses `host:port` to begin with, at least one. (Kafka `bootstrap.servers`) */
  readonly brokers: readonly string[];
  /** Name of this program in the broker's logs and quotas. @defaultValue "bus" (Kafka `client.id`) */
  readonly clientId?: string;
  /** The client to use: `kafkajsDriver()`, `confluentDriver()`, or in a configuration file its name. */
  readonly driver: KafkaDriverFactory | KafkaDriverName;
  /** How long `connect()` tries an unreachable broker, ≥ 1. @defaultValue 30_000 */
  readonly connectTimeoutMs?: number;
  readonly producer?: ProducerOptions;
  readonly consumer?: ConsumerOptions;
  readonly net?: NetOptions;
  readonly topics?: TopicsOptions;
  readonly client?: ClientOptions;
}

/** Options of `kafka()`, defaults applied: what the package works with. */
export interface ResolvedKafkaOptions extends DriverOptions {
  readonly driver: KafkaDriverFactory | KafkaDriverName;
}
