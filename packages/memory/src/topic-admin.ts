import type { TopicAdmin } from "@bus/core";
import type { InProcessBroker } from "./in-process-broker.ts";
import type { TopicDefaults } from "./topic-store.ts";

/** What topic administration works on. */
export interface TopicAdminParts {
  readonly broker: InProcessBroker;
  readonly defaults: TopicDefaults;
  /** @throws BusError when the broker cannot be reached. */
  readonly requireConnection: () => void;
}

/**
 * Make the topic capability of one client. The replication factor and the settings of a topic are kept and compared;
 * in one process they have no effect.
 */
export function createTopicAdmin({
  broker,
  defaults,
  requireConnection,
}: TopicAdminParts): TopicAdmin {
  return {
    create: async (specs) => {
      requireConnection();
      return specs.flatMap((spec) => broker.createTopic(spec, defaults));
    },
    describe: async (topics) => {
      requireConnection();
      return broker.topics.describe(topics);
    },
    delete: async (topics) => {
      requireConnection();
      for (const topic of topics) broker.deleteTopic(topic);
    },
  };
}
