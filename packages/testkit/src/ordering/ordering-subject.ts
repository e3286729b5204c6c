import type { BacklogVerdict, ConfiguredTransport, EventBus } from "@bus/core";
import type { ConformanceSubject } from "../conformance/subject.ts";

/** A bus that a test needs; translate it to the options of your plugins. */
export interface OrderingBusRequest {
  readonly group: string;
  readonly transport: ConfiguredTransport;
  /** Handlers at once, over all keys. */
  readonly concurrency: number;
  /** The mode in which the bus starts. */
  readonly startMode: "recovery" | "normal";
  /** More messages behind in a partition are a backlog. */
  readonly maxLagMessages: number;
  /** Time between checks of the backlog, in milliseconds. */
  readonly checkIntervalMs: number;
  /** Checks without a backlog in a row that end the recovery mode; no dwell and no idle time may delay its end. */
  readonly clearChecks: number;
}

/** What the kit needs of a bus that orders by key, knows a backlog, and has a recovery mode. */
export interface OrderingBus extends EventBus {
  /** `true` and `false` hold against every check until `"auto"`. */
  setRecoveryMode(mode: boolean | "auto"): void;
  isInRecoveryMode(): boolean;
  readonly backlog: {
    /** Check now. */
    check(): Promise<BacklogVerdict>;
  };
}

/** A transport and the plugins that order and watch its messages. */
export interface OrderingSubject extends ConformanceSubject {
  /** Make a bus whose subscriptions may ask for ordering `key`. */
  openBus(request: OrderingBusRequest): OrderingBus;
}
