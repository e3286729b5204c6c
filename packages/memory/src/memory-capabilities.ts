import { BusError } from "@bus/core";
import type { Capabilities, ComponentHealth, StartFrom } from "@bus/core";
import { createLagReader } from "./lag-reader.ts";
import type { ResolvedMemoryOptions } from "./memory-options.ts";
import { createTopicAdmin } from "./topic-admin.ts";
import type { TopicDefaults } from "./topic-store.ts";

/** What the capabilities of one client are made of. */
export interface CapabilityParts {
  readonly options: ResolvedMemoryOptions;
  readonly topicDefaults: TopicDefaults;
  /** @throws BusError when the broker cannot be reached. */
  readonly requireConnection: () => void;
  readonly startFromOf: (group: string, topic: string) => StartFrom;
  readonly health: () => ComponentHealth;
}

/** Everything that a memory transport can do beside publishing and receiving. */
export function createCapabilities(parts: CapabilityParts): Capabilities {
  const { options, requireConnection, startFromOf } = parts;
  const { broker } = options;
  return {
    ordering: "partition",
    delayedRedelivery: { maxDelayMs: Number.MAX_SAFE_INTEGER },
    lag: createLagReader({ broker, requireConnection, startFromOf }),
    topics: createTopicAdmin({ broker, requireConnection, defaults: parts.topicDefaults }),
    health: { report: () => ({ transport: parts.health() }) },
    ping: {
      ping: async (signal) => {
        if (signal.aborted)
          throw new BusError("BUS_ABORTED", "the ping was aborted", { cause: signal.reason });
        requireConnection();
      },
    },
    description: { describe: () => describeOptions(options) },
  };
}

function describeOptions({
  broker,
  ...options
}: ResolvedMemoryOptions): Readonly<Record<string, unknown>> {
  const { seed, partitions, retentionMessages } = broker.options;
  return { ...options, broker: { seed, partitions, retentionMessages } };
}
