import type { OptionSchema } from "@bus/core";
import { z } from "zod";
import { CLIENT_SCHEMA, NET_SCHEMA, TOPICS_SCHEMA } from "./connection-schema.ts";
import { CONSUMER_SCHEMA } from "./consumer-schema.ts";
import { KAFKA_DEFAULTS, KAFKA_DRIVER_DEFAULTS } from "./kafka-defaults.ts";
import type { DriverDefaults } from "./kafka-defaults.ts";
import type { KafkaDriverFactory } from "./kafka-driver.ts";
import type { ConsumerOptions, ResolvedConsumerOptions } from "./driver-options.ts";
import type { KafkaOptions, ResolvedKafkaOptions } from "./kafka-options.ts";
import { whole } from "./option-fields.ts";
import { PRODUCER_SCHEMA } from "./producer-schema.ts";

const options = z
  .strictObject({
    brokers: z
      .array(
        z.string().regex(/^[^\s:]+:\d+$|^\[[^\]\s]+\]:\d+$/u, "must be host:port"),
        "must be a list of addresses host:port",
      )
      .min(1, "must name at least one broker")
      .meta({ description: "addresses host:port to begin with (Kafka bootstrap.servers)" }),
    clientId: z
      .string("must be text")
      .min(1, "must not be empty")
      .meta({
        description: "name of this program (Kafka client.id)",
        default: KAFKA_DEFAULTS.clientId,
      })
      .exactOptional(),
    driver: z
      .union([z.enum(["kafkajs", "confluent"]), z.custom<KafkaDriverFactory>(isDriver)], {
        error: "must be kafkajsDriver(), confluentDriver() or the name of one of them",
      })
      .meta({ description: "the client to use" }),
    connectTimeoutMs: whole(
      1,
      KAFKA_DEFAULTS.connectTimeoutMs,
      "how long connect tries an unreachable broker",
    ),
    producer: PRODUCER_SCHEMA.exactOptional(),
    consumer: CONSUMER_SCHEMA.exactOptional(),
    net: NET_SCHEMA.exactOptional(),
    topics: TOPICS_SCHEMA.exactOptional(),
    client: CLIENT_SCHEMA.meta({
      description: "options of the underlying client by its own names",
    }).exactOptional(),
  })
  .transform((input, context) => {
    const resolved = resolve(input);
    for (const { path, message } of contradictions(resolved))
      context.addIssue({ code: "custom", path: [...path], message, input });
    return resolved;
  });

/** The options of `kafka()`: strict, with every default applied and contradictions found. */
export const KAFKA_OPTION_SCHEMA: OptionSchema<KafkaOptions, ResolvedKafkaOptions> = options;

function resolve(input: KafkaOptions): ResolvedKafkaOptions {
  const own = driverDefaults(input.driver);
  return {
    brokers: input.brokers,
    driver: input.driver,
    clientId: input.clientId ?? KAFKA_DEFAULTS.clientId,
    connectTimeoutMs: input.connectTimeoutMs ?? KAFKA_DEFAULTS.connectTimeoutMs,
    producer: { ...KAFKA_DEFAULTS.producer, ...input.producer },
    consumer: fitted(
      { ...KAFKA_DEFAULTS.consumer, ...own.consumer, ...input.consumer },
      input.consumer,
    ),
    net: { ...KAFKA_DEFAULTS.net, ...own.net, ...input.net },
    topics: { ...KAFKA_DEFAULTS.topics, ...input.topics },
    client: { ...KAFKA_DEFAULTS.client, ...input.client },
  };
}

/** Defaults that depend on another option give way to it; what was given is checked, not changed. */
function fitted(
  consumer: ResolvedConsumerOptions,
  given: ConsumerOptions = {},
): ResolvedConsumerOptions {
  const { heartbeatIntervalMs, sessionTimeoutMs, drainTimeoutMs, rebalanceTimeoutMs } = consumer;
  return {
    ...consumer,
    heartbeatIntervalMs:
      given.heartbeatIntervalMs ??
      Math.min(heartbeatIntervalMs, Math.max(Math.floor(sessionTimeoutMs / 3), 1)),
    drainTimeoutMs:
      given.drainTimeoutMs ?? Math.min(drainTimeoutMs, Math.floor(rebalanceTimeoutMs / 2)),
  };
}

function driverDefaults(driver: KafkaOptions["driver"]): DriverDefaults {
  const name = typeof driver === "string" ? driver : driver.name;
  return name === "kafkajs" || name === "confluent"
    ? KAFKA_DRIVER_DEFAULTS[name]
    : { consumer: {}, net: {} };
}

interface Contradiction {
  readonly path: readonly string[];
  readonly message: string;
}

function contradictions({
  producer: p,
  consumer: c,
}: ResolvedKafkaOptions): readonly Contradiction[] {
  const found: Contradiction[] = [];
  const check = (isFine: boolean, path: readonly string[], message: string): void => {
    if (!isFine) found.push({ path, message });
  };
  const isStrict = p.idempotent || p.transactionalId !== undefined;
  check(
    !isStrict || p.requiredAcks === "all",
    ["producer", "requiredAcks"],
    `must be all while producer.idempotent is true`,
  );
  check(
    p.transactionalId === undefined || p.idempotent,
    ["producer", "idempotent"],
    "must be true with producer.transactionalId",
  );
  check(
    !isStrict || p.maxInFlight <= 5,
    ["producer", "maxInFlight"],
    "must be at most 5 while producer.idempotent is true",
  );
  check(
    p.maxMessageBytes <= p.bufferBytes,
    ["producer", "maxMessageBytes"],
    `must be at most producer.bufferBytes (${p.bufferBytes})`,
  );
  check(
    c.heartbeatIntervalMs * 3 <= c.sessionTimeoutMs,
    ["consumer", "heartbeatIntervalMs"],
    `must be at most a third of consumer.sessionTimeoutMs (${c.sessionTimeoutMs})`,
  );
  check(
    c.drainTimeoutMs * 2 <= c.rebalanceTimeoutMs,
    ["consumer", "drainTimeoutMs"],
    `must be at most half of consumer.rebalanceTimeoutMs (${c.rebalanceTimeoutMs})`,
  );
  return found;
}

function isDriver(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && "kind" in value && value.kind === "kafkaDriver"
  );
}
