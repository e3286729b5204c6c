// oxlint-disable no-restricted-imports -- dead letters are proven on the transport that most people run them on
import type { ConfiguredTransport } from "@bus/core";
import { kafka } from "@bus/kafka";
import type { KafkaOptions } from "@bus/kafka";
import { confluentDriver } from "@bus/kafka/confluent";
import { kafkajsDriver } from "@bus/kafka/kafkajs";

/** Both drivers: every row of the suite holds with each. */
export const KAFKA_DRIVERS: Readonly<Record<string, () => KafkaOptions["driver"]>> = Object.freeze({
  kafkajs: kafkajsDriver,
  confluent: confluentDriver,
});

/** Rebalances and take-overs within seconds. */
const FAST_GROUPS = {
  sessionTimeoutMs: 6_000,
  heartbeatIntervalMs: 500,
  rebalanceTimeoutMs: 10_000,
  drainTimeoutMs: 1_500,
};

/** The transport of one process. */
export function kafkaOver(
  driver: string,
  brokers: readonly string[],
  options: Omit<KafkaOptions, "brokers" | "driver"> = {},
): ConfiguredTransport {
  const make = KAFKA_DRIVERS[driver];
  if (make === undefined) throw new TypeError(`no driver is called ${driver}`);
  return kafka({
    ...options,
    brokers: [...brokers],
    driver: make(),
    consumer: { ...FAST_GROUPS, ...options.consumer },
  });
}
