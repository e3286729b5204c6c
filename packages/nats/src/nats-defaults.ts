import type { ResolvedNatsOptions } from "./nats-options.ts";

/** Every default of `nats()`, by option path. */
export const NATS_DEFAULTS: Omit<ResolvedNatsOptions, "servers"> = Object.freeze({
  name: "bus",
  connectTimeoutMs: 30_000,
  reconnect: Object.freeze({ waitMs: 250, maxWaitMs: 5_000, jitter: 0.2 }),
  mode: "jetstream",
  stream: Object.freeze({
    name: "bus",
    subjects: Object.freeze([]),
    storage: "file",
    replicas: 1,
    discard: "new",
    duplicateWindowMs: 120_000,
    ensure: "validate",
  }),
  durable: "bus",
  startFrom: "earliest",
  ackWaitMs: 30_000,
  maxAckPending: 2_000,
  maxInFlightBytes: 67_108_864,
  maxUncommittedMessages: 20_000,
  drainTimeoutMs: 10_000,
  publish: Object.freeze({
    window: 1_024,
    timeoutMs: 30_000,
    maxPendingMessages: 100_000,
    maxPendingBytes: 268_435_456,
    onFull: "wait",
  }),
  leases: Object.freeze({ renewMs: 5_000, expireMs: 15_000 }),
});
