import type { OptionSchema } from "@bus/core";
import { z } from "zod";
import {
  AUTH_SCHEMA,
  LEASES_SCHEMA,
  PUBLISH_SCHEMA,
  RECONNECT_SCHEMA,
  STREAM_SCHEMA,
  TLS_SCHEMA,
} from "./nats-section-schemas.ts";
import { NATS_DEFAULTS } from "./nats-defaults.ts";
import type { NatsOptions, ResolvedNatsOptions } from "./nats-options.ts";
import { oneOf, text, whole, word } from "./option-fields.ts";

const D = NATS_DEFAULTS;

const options = z
  .strictObject({
    servers: z
      .array(
        z
          .string()
          .regex(
            /^(?:(?:nats|tls):\/\/)?(?:[^\s/]+@)?(?:[^\s:/@]+|\[[^\]\s]+\])(?::\d+)?$/u,
            "must be host:port or nats://host:port",
          ),
        "must be a list of addresses host:port",
      )
      .min(1, "must name at least one server")
      .meta({ description: "addresses to begin with (client servers)" })
      .exactOptional(),
    name: text("name of this program (client name)").meta({ default: D.name }),
    auth: AUTH_SCHEMA.exactOptional(),
    tls: TLS_SCHEMA.exactOptional(),
    connection: z
      .custom<object>(isConnection, "must be a NatsConnection of the nats client")
      .meta({ description: "a connected NatsConnection (only in code)" })
      .exactOptional(),
    connectTimeoutMs: whole(1, D.connectTimeoutMs, "how long connect tries an unreachable server"),
    reconnect: RECONNECT_SCHEMA.exactOptional(),
    mode: word(["jetstream", "core"], D.mode, "stored at least once, or passed on at most once"),
    partitions: z
      .int("must be a whole number")
      .min(1, "must be at least 1")
      .max(1_024, "must be at most 1024")
      .meta({ description: "partitions of every topic; absent: none, no order" })
      .exactOptional(),
    stream: STREAM_SCHEMA.exactOptional(),
    durable: text("begins the names of durable consumers (durable_name)").meta({
      default: D.durable,
    }),
    startFrom: oneOf(["earliest", "latest", "none"], {
      description: "where a group without a position begins (deliver_policy)",
      default: D.startFrom,
    }),
    ackWaitMs: whole(
      1_000,
      D.ackWaitMs,
      "how long the server waits for an acknowledgement (ack_wait)",
    ),
    maxAckPending: whole(
      1,
      D.maxAckPending,
      "messages delivered and not settled (max_ack_pending)",
    ),
    maxInFlightBytes: whole(1, D.maxInFlightBytes, "bytes delivered and not settled"),
    maxDeliver: z
      .int("must be a whole number")
      .min(1, "must be at least 1")
      .meta({ description: "deliveries after which the server gives a message up (max_deliver)" })
      .exactOptional(),
    maxUncommittedMessages: whole(
      1,
      D.maxUncommittedMessages,
      "settled messages behind an unsettled one, per partition",
    ),
    drainTimeoutMs: whole(
      0,
      D.drainTimeoutMs,
      "how long running handlers may keep a hand-over waiting",
    ),
    publish: PUBLISH_SCHEMA.exactOptional(),
    leases: LEASES_SCHEMA.exactOptional(),
  })
  .transform((input, context) => {
    const resolved = resolve(input);
    for (const { path, message } of contradictions(resolved, input))
      context.addIssue({ code: "custom", path: [...path], message, input });
    return resolved;
  });

/** The options of `nats()`: strict, with every default applied and contradictions found. */
export const NATS_OPTION_SCHEMA: OptionSchema<NatsOptions, ResolvedNatsOptions> = options;

function resolve(input: NatsOptions): ResolvedNatsOptions {
  return {
    ...D,
    ...input,
    servers: input.servers ?? [],
    reconnect: { ...D.reconnect, ...input.reconnect },
    stream: { ...D.stream, ...input.stream },
    publish: { ...D.publish, ...input.publish },
    leases: { ...D.leases, ...input.leases },
  };
}

interface Contradiction {
  readonly path: readonly string[];
  readonly message: string;
}

const OF_THE_CONNECTION = ["servers", "name", "auth", "tls", "reconnect"] as const;
const OF_JETSTREAM = ["partitions", "stream", "maxDeliver", "leases", "startFrom"] as const;

function contradictions(o: ResolvedNatsOptions, input: NatsOptions): readonly Contradiction[] {
  const found: Contradiction[] = [];
  const check = (isFine: boolean, path: readonly string[], message: string): void => {
    if (!isFine) found.push({ path, message });
  };
  check(
    o.connection !== undefined || input.servers !== undefined,
    ["servers"],
    "must name at least one server, unless connection is given",
  );
  // Told at another place than the address, whose value would be shown.
  check(
    !o.servers.some((server) => server.includes("@")),
    ["auth"],
    "must hold the credentials; an address of servers has some in it",
  );
  for (const key of OF_THE_CONNECTION)
    check(
      o.connection === undefined || input[key] === undefined,
      [key],
      "must be absent when connection is given",
    );
  for (const key of OF_JETSTREAM)
    check(
      o.mode === "jetstream" || input[key] === undefined,
      [key],
      "must be absent with mode core, which stores nothing",
    );
  check(
    o.partitions === undefined || o.maxDeliver === undefined,
    ["maxDeliver"],
    "must be absent with partitions: a message that the server gives up would leave a hole in the order",
  );
  check(
    o.leases.renewMs * 3 <= o.leases.expireMs,
    ["leases", "renewMs"],
    `must be at most a third of leases.expireMs (${o.leases.expireMs})`,
  );
  check(
    o.publish.timeoutMs <= o.stream.duplicateWindowMs,
    ["publish", "timeoutMs"],
    `must be at most stream.duplicateWindowMs (${o.stream.duplicateWindowMs}), or a retry may be stored twice`,
  );
  check(
    o.reconnect.waitMs <= o.reconnect.maxWaitMs,
    ["reconnect", "waitMs"],
    `must be at most reconnect.maxWaitMs (${o.reconnect.maxWaitMs})`,
  );
  return found;
}

function isConnection(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    ["publish", "subscribe", "status", "closed"].every((name) => name in value)
  );
}
