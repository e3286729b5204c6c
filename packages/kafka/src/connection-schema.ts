import { z } from "zod";
import { KAFKA_DEFAULTS } from "./kafka-defaults.ts";
import type { ClientOptions, NetOptions, OauthToken, TopicsOptions } from "./driver-options.ts";
import { flag, text, whole, word } from "./option-fields.ts";

/** Options of connections. */
export const NET_SCHEMA: z.ZodType<NetOptions, NetOptions> = z.strictObject({
  dialTimeoutMs: whole(
    1,
    KAFKA_DEFAULTS.net.dialTimeoutMs,
    "longest time to open a connection (Kafka socket.connection.setup.timeout.ms)",
  ),
  readTimeoutMs: whole(
    1,
    KAFKA_DEFAULTS.net.readTimeoutMs,
    "longest time to wait for an answer; 10000 with kafkajs (Kafka request.timeout.ms)",
  ),
  writeTimeoutMs: z
    .int()
    .min(1)
    .meta({ description: "no driver has such a setting" })
    .exactOptional(),
  tls: z
    .strictObject({
      ca: text("PEM of the authorities to trust"),
      cert: text("PEM of the client's certificate chain"),
      key: text("PEM of the client's private key"),
      passphrase: text("passphrase of the key"),
      servername: text("name that the broker's certificate must carry"),
      rejectUnauthorized: flag(true, "false accepts any certificate"),
    })
    .meta({ description: "TLS of every connection" })
    .exactOptional(),
  sasl: z
    .discriminatedUnion("mechanism", [
      z.strictObject({
        mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
        username: z.string("must be text").min(1, "must not be empty"),
        password: z.string("must be text").min(1, "must not be empty"),
      }),
      z.strictObject({
        mechanism: z.literal("oauthbearer"),
        provider: z.custom<() => Promise<OauthToken>>(
          (value) => typeof value === "function",
          "must be a function",
        ),
      }),
    ])
    .meta({ description: "who the client is (Kafka sasl.mechanism, sasl.jaas.config)" })
    .exactOptional(),
});

const topicSettings = {
  partitions: z
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .meta({ description: "Kafka num.partitions" })
    .exactOptional(),
  replicationFactor: z
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .meta({ description: "Kafka default.replication.factor" })
    .exactOptional(),
  config: z
    .record(z.string(), z.string())
    .meta({ description: "topic settings by Kafka's own names" })
    .exactOptional(),
};

/** Options of topics. */
export const TOPICS_SCHEMA: z.ZodType<TopicsOptions, TopicsOptions> = z.strictObject({
  ...topicSettings,
  ensure: word(
    ["skip", "validate", "create"],
    KAFKA_DEFAULTS.topics.ensure,
    "what is done before a topic is first used",
  ),
  perTopic: z
    .record(z.string(), z.strictObject(topicSettings))
    .meta({ description: "settings of single topics by name" })
    .exactOptional(),
});

const properties = z.record(z.string(), z.unknown()).exactOptional();
/** Options of the underlying client. */
export const CLIENT_SCHEMA: z.ZodType<ClientOptions, ClientOptions> = z.strictObject({
  common: properties,
  producer: properties,
  consumer: properties,
});
