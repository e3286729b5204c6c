import type { ConfiguredTransport, StartFrom, TopicPartition } from "@bus/core";

/** Settings that a test needs to differ from the subject's own; translate them to your transport's option names. */
export interface TransportOverrides {
  /** Most messages received and not settled, per member of a group. */
  readonly maxInFlightMessages?: number;
  /** Most bytes received and not settled, per member of a group. */
  readonly maxInFlightBytes?: number;
  /** Where a group without a committed offset begins. */
  readonly startFrom?: StartFrom;
}

/** How patient the kit is. Slow brokers get more; every wait ends as soon as its condition holds. */
export interface ConformanceTimings {
  /** Longest that one healthy step may take: connect, join, deliver, commit. @defaultValue 10_000 */
  readonly stepMs: number;
  /** How long a test watches that something does not happen. @defaultValue 150 */
  readonly quietMs: number;
  /** Longest until a group has replaced a member that vanished without leaving. @defaultValue 30_000 */
  readonly takeoverMs: number;
  /** Longest from a settlement to its commit while nothing fails; bounds what a crash may repeat. @defaultValue 1_500 */
  readonly commitMs: number;
  /** How much later than asked a redelivery may come. @defaultValue 1_000 */
  readonly redeliveryLateMs: number;
  /** How much later than its deadline a close may return. @defaultValue 2_000 */
  readonly closeLateMs: number;
}

/** Faults that only the subject knows how to cause. Tests that need a missing one are skipped, with that reason. */
export interface ConformanceFaults {
  /** End a simulated process as if it was killed: nothing is drained, committed or left; the broker has to notice. */
  readonly crash?: (process: ConfiguredTransport) => Promise<void>;
  /** Cut a simulated process off its broker; the returned function connects it again. */
  readonly disconnect?: (process: ConfiguredTransport) => Promise<() => Promise<void>>;
  /** Take every partition of a group away from a process without a drain, as after an expired session. */
  readonly revoke?: (process: ConfiguredTransport, group: string) => Promise<void>;
  /** Use up at least one offset of a partition that no consumer ever receives: a control record, an aborted message. */
  readonly makeGap?: (partition: TopicPartition) => Promise<void>;
  /** Remove everything before an offset, as retention does. */
  readonly removeBefore?: (partition: TopicPartition, offset: bigint) => Promise<void>;
}

/** A test that a subject cannot pass, and why; printed with the results. */
export interface ConformanceSkip {
  /** Name of a guarantee, or `<guarantee>: <test>`. */
  readonly test: string;
  readonly reason: string;
}

/** A transport under test. */
export interface ConformanceSubject {
  /** For test names and the table of results. */
  readonly name: string;
  /**
   * Make one simulated process; all of them reach the same broker. Called once while the tests are registered, to read
   * the capabilities, so it must not need a connection before `connect()`.
   */
  transport(overrides?: TransportOverrides): ConfiguredTransport;
  /** Create a topic and return once it can be used. Through `capabilities.topics` when absent. */
  createTopic?(topic: string, partitions: number): Promise<void>;
  readonly faults?: ConformanceFaults;
  readonly timings?: Partial<ConformanceTimings>;
  readonly skip?: readonly ConformanceSkip[];
}

/** The kit's patience unless a subject says otherwise, in milliseconds. */
export const CONFORMANCE_TIMINGS: ConformanceTimings = Object.freeze({
  stepMs: 10_000,
  quietMs: 150,
  takeoverMs: 30_000,
  commitMs: 1_500,
  redeliveryLateMs: 1_000,
  closeLateMs: 2_000,
});
