import { z } from "zod";
import { NATS_DEFAULTS } from "./nats-defaults.ts";
import type {
  AuthOptions,
  LeaseOptions,
  PublishOptions,
  ReconnectOptions,
  StreamOptions,
  TlsOptions,
} from "./nats-options.ts";
import { text, whole, word } from "./option-fields.ts";

const { leases, publish, reconnect, stream } = NATS_DEFAULTS;

const secret = z.string("must be text").min(1, "must not be empty");

/** Who the client is. */
export const AUTH_SCHEMA: z.ZodType<AuthOptions, AuthOptions> = z
  .union(
    [
      z.strictObject({ user: secret, pass: secret }),
      z.strictObject({ token: secret }),
      z.strictObject({ creds: secret }),
      z.strictObject({ nkey: secret }),
    ],
    { error: "must be one of { user, pass }, { token }, { creds }, { nkey }" },
  )
  .meta({ description: "who the client is (client user, pass, token, authenticator)" });

/** TLS of every connection. */
export const TLS_SCHEMA: z.ZodType<TlsOptions, TlsOptions> = z
  .strictObject({
    ca: text("PEM of the authorities to trust"),
    cert: text("PEM of the client's certificate chain"),
    key: text("PEM of the client's private key"),
  })
  .meta({ description: "TLS of every connection (client tls)" });

/** Waits between attempts to connect again. */
export const RECONNECT_SCHEMA: z.ZodType<ReconnectOptions, ReconnectOptions> = z.strictObject({
  waitMs: whole(1, reconnect.waitMs, "wait before the first attempt; doubles"),
  maxWaitMs: whole(1, reconnect.maxWaitMs, "longest wait"),
  jitter: z
    .number("must be a number")
    .min(0, "must be at least 0")
    .max(1, "must be at most 1")
    .meta({ description: "share of a wait that is added at random", default: reconnect.jitter })
    .exactOptional(),
});

const limit = (min: number, description: string): z.ZodExactOptional<z.ZodInt> =>
  z
    .int("must be a whole number")
    .min(min, `must be at least ${min}`)
    .meta({ description })
    .exactOptional();

/** The stream that holds the topics. */
export const STREAM_SCHEMA: z.ZodType<StreamOptions, StreamOptions> = z.strictObject({
  name: z
    .string("must be text")
    .regex(/^[^\s.*>/\\]+$/u, "must have no white space, dot, *, > or slash")
    .meta({ description: "name of the stream", default: stream.name })
    .exactOptional(),
  subjects: z
    .array(
      z.string("must be text").regex(/^[^\s]+$/u, "must have no white space"),
      "must be a list of subjects",
    )
    .meta({
      description: "subjects of a new stream; those of topics are added",
      default: stream.subjects,
    })
    .exactOptional(),
  storage: word(["file", "memory"], stream.storage, "where messages are kept (storage)"),
  replicas: z
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .max(5, "must be at most 5")
    .meta({ description: "replicas of the stream (num_replicas)", default: stream.replicas })
    .exactOptional(),
  maxAgeMs: limit(1, "how long messages are kept (max_age)"),
  maxBytes: limit(1, "bytes that the stream keeps (max_bytes)"),
  maxMessages: limit(1, "messages that the stream keeps (max_msgs)"),
  discard: word(["new", "old"], stream.discard, "what a full stream does (discard)"),
  duplicateWindowMs: whole(
    100,
    stream.duplicateWindowMs,
    "how long message ids are known (duplicate_window)",
  ),
  ensure: word(
    ["skip", "validate", "create"],
    stream.ensure,
    "what is done before a topic is first used",
  ),
});

/** How messages are published. */
export const PUBLISH_SCHEMA: z.ZodType<PublishOptions, PublishOptions> = z.strictObject({
  window: whole(1, publish.window, "messages sent and not yet acknowledged"),
  timeoutMs: whole(1, publish.timeoutMs, "deadline of a publish"),
  maxPendingMessages: whole(
    1,
    publish.maxPendingMessages,
    "messages accepted and not yet acknowledged",
  ),
  maxPendingBytes: whole(1, publish.maxPendingBytes, "bytes accepted and not yet acknowledged"),
  onFull: word(["wait", "reject"], publish.onFull, "what publish does when the buffer is full"),
});

/** How partitions are divided between processes. */
export const LEASES_SCHEMA: z.ZodType<LeaseOptions, LeaseOptions> = z.strictObject({
  renewMs: whole(1, leases.renewMs, "how often a process says that it lives"),
  expireMs: whole(1, leases.expireMs, "silence after which its partitions are taken over"),
});
