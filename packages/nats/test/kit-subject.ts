import type { ConfiguredTransport, TopicPartition } from "@bus/core";
import type { TransportOverrides } from "@bus/testkit";
import type { NatsLab, ProcessOptions } from "./nats-lab.ts";

/** The kit's settings by the transport's own names. */
export function kitOptions(overrides: TransportOverrides = {}): ProcessOptions {
  const { startFrom, maxInFlightMessages, maxInFlightBytes } = overrides;
  return {
    ...(startFrom === undefined ? {} : { startFrom }),
    ...(maxInFlightMessages === undefined ? {} : { maxAckPending: maxInFlightMessages }),
    ...(maxInFlightBytes === undefined ? {} : { maxInFlightBytes }),
  };
}

/** Faults that a lab can cause, whatever the ordering. */
export interface KitFaults {
  readonly crash: (process: ConfiguredTransport) => Promise<void>;
  readonly disconnect: (process: ConfiguredTransport) => Promise<() => Promise<void>>;
  readonly revoke: (process: ConfiguredTransport, group: string) => Promise<void>;
  readonly makeGap: (partition: TopicPartition) => Promise<void>;
  readonly removeBefore: (partition: TopicPartition, offset: bigint) => Promise<void>;
}

export function kitFaults(lab: NatsLab): KitFaults {
  return {
    crash: (process) => {
      lab.sever(process);
      return Promise.resolve();
    },
    disconnect: (process) => {
      const restore = lab.sever(process);
      return Promise.resolve(() => Promise.resolve(restore()));
    },
    revoke: (_process, group) => lab.evict(group),
    makeGap: (partition) => lab.makeGap(partition),
    removeBefore: (partition, offset) => lab.removeBefore(partition, offset),
  };
}
