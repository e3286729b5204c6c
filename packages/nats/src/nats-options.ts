import type { StartFrom } from "@bus/core";

/** TLS of every connection; present means that nothing is ever sent in plain text. */
export interface TlsOptions {
  /** PEM of the authorities to trust; the system's when absent. (client `tls.ca`) */
  readonly ca?: string;
  /** PEM of the client's certificate chain. (client `tls.cert`) */
  readonly cert?: string;
  /** PEM of the client's private key. (client `tls.key`) */
  readonly key?: string;
}

/** Who the client is: one of four ways. */
export type AuthOptions =
  | { readonly user: string; readonly pass: string }
  | { readonly token: string }
  /** Contents of a credentials file: a user's JWT and seed. */
  | { readonly creds: string }
  /** Seed of an NKey of a user, `SU…`. */
  | { readonly nkey: string };

/** The stream that holds the topics. */
export interface StreamOptions {
  /** Name of the stream, without `.`, `*`, `>` and white space. @defaultValue "bus" */
  readonly name?: string;
  /** Subjects of the stream when it is created; those of topics in use are added. @defaultValue none but those of topics */
  readonly subjects?: readonly string[];
  /** @defaultValue "file" (`storage`) */
  readonly storage?: "file" | "memory";
  /** Replicas of the stream and of what the bus keeps beside it, 1 to 5. @defaultValue 1 (`num_replicas`) */
  readonly replicas?: number;
  /** How long messages are kept, in milliseconds; for ever when absent. (`max_age`) */
  readonly maxAgeMs?: number;
  /** Bytes that the stream keeps; no limit when absent. (`max_bytes`) */
  readonly maxBytes?: number;
  /** Messages that the stream keeps; no limit when absent. (`max_msgs`) */
  readonly maxMessages?: number;
  /** `new`: a full stream refuses messages; `old`: it drops its oldest, unconsumed or not. @defaultValue "new" (`discard`) */
  readonly discard?: "new" | "old";
  /** How long the stream knows message ids, in milliseconds, at least `publish.timeoutMs`. @defaultValue 120_000 (`duplicate_window`) */
  readonly duplicateWindowMs?: number;
  /**
   * What is done before a topic is first used. `skip`: nothing; `validate`: the stream must exist and take the topic's
   * subjects, and drift from the settings here is reported; `create`: a missing stream is created, missing subjects are
   * added. Other settings of an existing stream are never changed. @defaultValue "validate"
   */
  readonly ensure?: "skip" | "validate" | "create";
}

/** How messages are published. */
export interface PublishOptions {
  /** Messages sent and not yet acknowledged, ≥ 1. @defaultValue 1_024 */
  readonly window?: number;
  /** Deadline of a publish from the call to the acknowledgement, ≥ 1. @defaultValue 30_000 */
  readonly timeoutMs?: number;
  /** Messages accepted and not yet acknowledged; beyond, `onFull` decides. ≥ 1. @defaultValue 100_000 */
  readonly maxPendingMessages?: number;
  /** Bytes accepted and not yet acknowledged, ≥ 1. @defaultValue 268_435_456 */
  readonly maxPendingBytes?: number;
  /** `wait`: `publish` waits for room, at most `timeoutMs`; `reject`: it fails with `BUS_BUFFER_FULL`. @defaultValue "wait" */
  readonly onFull?: "wait" | "reject";
}

/** How partitions are divided between processes. */
export interface LeaseOptions {
  /** How often a process says that it lives, ≥ 1, at most a third of `expireMs`. @defaultValue 5_000 */
  readonly renewMs?: number;
  /** Silence after which others take a process's partitions over, ≥ 1. @defaultValue 15_000 */
  readonly expireMs?: number;
}

/** How long is waited before connections are tried again. */
export interface ReconnectOptions {
  /** Wait before the first attempt; doubles up to `maxWaitMs`. ≥ 1. @defaultValue 250 (client `reconnectDelayHandler`) */
  readonly waitMs?: number;
  /** Longest wait, ≥ 1. @defaultValue 5_000 */
  readonly maxWaitMs?: number;
  /** Share of a wait that is added at random, 0 to 1. @defaultValue 0.2 */
  readonly jitter?: number;
}

/** Options of `nats()` that have a meaning without a ready connection too. */
export interface NatsOptions {
  /** Addresses `host:port` or `nats://host:port`, at least one, unless `connection` is given. (client `servers`) */
  readonly servers?: readonly string[];
  /** Name of this program in the server's monitoring. @defaultValue "bus" (client `name`) */
  readonly name?: string;
  readonly auth?: AuthOptions;
  readonly tls?: TlsOptions;
  /**
   * A connected `NatsConnection` of the `nats` client, in place of `servers`, `name`, `auth`, `tls` and `reconnect`. It is
   * drained of what the bus did and left open. Only in code.
   */
  readonly connection?: object;
  /** How long `connect()` tries an unreachable server, ≥ 1. @defaultValue 30_000 */
  readonly connectTimeoutMs?: number;
  readonly reconnect?: ReconnectOptions;
  /** `jetstream`: stored, at least once. `core`: nothing is stored, at most once. @defaultValue "jetstream" */
  readonly mode?: "jetstream" | "core";
  /**
   * Partitions of every topic, ≥ 1: a message goes to `<topic>.<partition>` by its key, each partition is read by one
   * process at a time, in order. Absent: no partitions, no order, messages are spread over processes one by one.
   */
  readonly partitions?: number;
  readonly stream?: StreamOptions;
  /** Begins the names of durable consumers and of the leases. @defaultValue "bus" (`durable_name`) */
  readonly durable?: string;
  /** Where a group without a position begins; `none`: an error, nothing is consumed. @defaultValue "earliest" (`deliver_policy`) */
  readonly startFrom?: StartFrom;
  /** How long the server waits for an acknowledgement; told to go on waiting every third of it. ≥ 1_000. @defaultValue 30_000 (`ack_wait`) */
  readonly ackWaitMs?: number;
  /** Messages delivered and not yet settled, per group member and, without partitions, per group and topic. ≥ 1. @defaultValue 2_000 (`max_ack_pending`) */
  readonly maxAckPending?: number;
  /** Bytes delivered and not yet settled, per group member, ≥ 1. @defaultValue 67_108_864 */
  readonly maxInFlightBytes?: number;
  /** Deliveries after which the server gives a message up: a net far above what failure policies do. ≥ 1; no limit when absent. (`max_deliver`) */
  readonly maxDeliver?: number;
  /** Settled messages of a partition that may wait behind an unsettled one, ≥ 1; beyond, it pauses. @defaultValue 20_000 */
  readonly maxUncommittedMessages?: number;
  /** How long running handlers may keep a hand-over waiting, ≥ 0. @defaultValue 10_000 */
  readonly drainTimeoutMs?: number;
  readonly publish?: PublishOptions;
  readonly leases?: LeaseOptions;
}

type Resolved<TOptions, TOptional extends keyof TOptions = never> = Required<
  Omit<TOptions, TOptional>
> &
  Pick<TOptions, TOptional>;

/** Options of the stream, defaults applied. */
export type ResolvedStreamOptions = Resolved<
  StreamOptions,
  "maxAgeMs" | "maxBytes" | "maxMessages"
>;
/** Options of publishing, defaults applied. */
export type ResolvedPublishOptions = Required<PublishOptions>;
/** Options of leases, defaults applied. */
export type ResolvedLeaseOptions = Required<LeaseOptions>;

/** Options of `nats()`, defaults applied. */
export type ResolvedNatsOptions = Resolved<
  Omit<NatsOptions, "stream" | "publish" | "leases" | "reconnect">,
  "auth" | "tls" | "connection" | "partitions" | "maxDeliver"
> & {
  readonly stream: ResolvedStreamOptions;
  readonly publish: ResolvedPublishOptions;
  readonly leases: ResolvedLeaseOptions;
  readonly reconnect: Required<ReconnectOptions>;
};
