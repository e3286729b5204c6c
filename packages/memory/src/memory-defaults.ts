/** Every default of `memory()` and `memoryBroker()`, in one place. */
export const MEMORY_DEFAULTS: {
  readonly partitions: 16;
  readonly seed: 1;
  readonly autoCreateTopics: "onFirstUse";
  readonly startFrom: "earliest";
  readonly maxInFlightMessages: 2_000;
  readonly maxInFlightBytes: 67_108_864;
  readonly maxUncommittedMessages: 20_000;
  readonly commitIntervalMs: 50;
  readonly maxMessageBytes: 1_048_576;
  readonly rebalanceDrainMs: 10_000;
  readonly sessionTimeoutMs: 1_000;
  readonly publishTimeoutMs: 30_000;
} = Object.freeze({
  partitions: 16,
  seed: 1,
  autoCreateTopics: "onFirstUse",
  startFrom: "earliest",
  maxInFlightMessages: 2_000,
  maxInFlightBytes: 67_108_864,
  maxUncommittedMessages: 20_000,
  commitIntervalMs: 50,
  maxMessageBytes: 1_048_576,
  rebalanceDrainMs: 10_000,
  sessionTimeoutMs: 1_000,
  publishTimeoutMs: 30_000,
} as const);
