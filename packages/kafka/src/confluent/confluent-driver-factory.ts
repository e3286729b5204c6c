import type { KafkaDriverFactory } from "../kafka-driver.ts";
import { checkOptions } from "./check-options.ts";
import { ConfluentDriver } from "./confluent-driver.ts";
import {
  adminProperties,
  consumerProperties,
  producerProperties,
  transactionalProperties,
} from "./confluent-config.ts";
import { loadConfluent } from "./load-confluent.ts";
import { checkProperties } from "./native-properties.ts";

/** What stands in a description for the name of a group, of which a bus may have several. */
const ANY_GROUP = "<group>";

/**
 * Kafka through Confluent's client: librdkafka, a native addon, from the optional peer `@confluentinc/kafka-javascript`.
 *
 * Beside what every driver does: cooperative rebalancing, static membership, KIP-848, and compression and protocol work
 * in threads of its own.
 */
export function confluentDriver(): KafkaDriverFactory {
  return {
    kind: "kafkaDriver",
    name: "confluent",
    check: checkOptions,
    describe: (options) => ({
      admin: adminProperties(options),
      producer: producerProperties(options),
      consumer: consumerProperties(options, ANY_GROUP),
      ...(options.producer.transactionalId === undefined
        ? {}
        : { transactions: transactionalProperties(options, options.producer.transactionalId) }),
    }),
    create: (options, host) => {
      const module = loadConfluent();
      checkProperties(module, options);
      return new ConfluentDriver(module, options, host);
    },
  };
}
