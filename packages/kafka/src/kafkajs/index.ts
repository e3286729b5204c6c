import type { KafkaDriverFactory } from "../kafka-driver.ts";
import { checkKafkajsOptions, describeKafkajs } from "./kafkajs-options.ts";
import { KafkajsDriver } from "./kafkajs-driver.ts";

/**
 * kafkajs 2.2.4 as the client of `kafka({ driver: kafkajsDriver() })`: pure JavaScript, nothing to compile.
 *
 * It has no static membership, no cooperative rebalancing and no KIP-848; options that ask for these are `BUS_UNSUPPORTED`.
 */
export function kafkajsDriver(): KafkaDriverFactory {
  return {
    kind: "kafkaDriver",
    name: "kafkajs",
    check: checkKafkajsOptions,
    describe: describeKafkajs,
    create: (options, host) => new KafkajsDriver(options, host),
  };
}
