import { memory, memoryBroker } from "@bus/memory";
import type { ConformanceSubject, ConformanceTimings } from "@bus/testkit";

/** Patience for a broker that lives in this process. */
const TIMINGS: ConformanceTimings = {
  stepMs: 10_000,
  quietMs: 50,
  takeoverMs: 1_000,
  commitMs: 300,
  redeliveryLateMs: 500,
  closeLateMs: 700,
};

/** The reference transport on a broker of its own. */
export function memorySubject(
  timings: Partial<ConformanceTimings> = {},
  parts: Partial<ConformanceSubject> = {},
): ConformanceSubject {
  const broker = memoryBroker();
  return {
    name: "memory",
    transport: (overrides = {}) =>
      memory({
        broker,
        autoCreateTopics: "never",
        sessionTimeoutMs: 150,
        rebalanceDrainMs: 120,
        ...overrides,
      }),
    timings: { ...TIMINGS, ...timings },
    faults: {
      crash: (process) => Promise.resolve(broker.faults.crash(process)),
      disconnect: (process) => {
        const restore = broker.faults.dropConnection(process);
        return Promise.resolve(() => Promise.resolve(restore()));
      },
      revoke: (process, group) => Promise.resolve(broker.faults.revoke(group, process)),
      makeGap: ({ topic, partition }) =>
        Promise.resolve(broker.faults.insertGap(topic, partition, 3)),
      removeBefore: ({ topic, partition }, offset) =>
        Promise.resolve(broker.faults.removeBefore(topic, partition, offset)),
    },
    ...parts,
  };
}
