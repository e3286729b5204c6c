export { memory } from "./memory.ts";
export { memoryBroker } from "./memory-broker.ts";
export { MEMORY_DEFAULTS } from "./memory-defaults.ts";

export type {
  ClientFaults,
  FlowFaults,
  LogFaults,
  MemoryClient,
  MemoryFaults,
} from "./broker-faults.ts";
export type { MemoryBrokerOptions } from "./broker-options.ts";
export type {
  BrokerDescription,
  CommittedOffset,
  GroupDescription,
  MemoryBroker,
  PartitionDescription,
} from "./in-process-broker.ts";
export type { MemoryOptions } from "./memory-options.ts";
export type { PublishFault } from "./publish-faults.ts";
