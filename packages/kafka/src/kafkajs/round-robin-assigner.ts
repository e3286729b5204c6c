import kafkajs from "kafkajs";
import type { Assigner, Cluster, PartitionAssigner } from "kafkajs";
import type { TopicPartition } from "@bus/core";
import { dividePartitions } from "./divide-partitions.ts";
import type { Division, SubscribedMember } from "./divide-partitions.ts";

/** Version of the consumer protocol's member metadata and assignment that kafkajs writes. */
const PROTOCOL_VERSION = 0;

/** What an assigner needs of kafkajs beside what it is given. */
export interface RoundRobinAssignerOptions {
  /** Called once per consumer with the client's connections, before anything happens. */
  readonly onCluster: (cluster: Cluster) => void;
}

/**
 * An assigner under the name `roundrobin`, so that members with other clients (librdkafka, Java) can share the group.
 *
 * kafkajs' own assigns only the topics that the leading member itself subscribes and has a name that nobody else knows.
 */
export function roundRobinAssigner(options: RoundRobinAssignerOptions): PartitionAssigner {
  // Outlasts a consumer that is rebuilt: what its member handed out last is still what the members hold.
  let previous: Division = new Map();
  return ({ cluster }): Assigner => {
    options.onCluster(cluster);
    return {
      name: "roundrobin",
      version: PROTOCOL_VERSION,
      assign: async ({ members }) => {
        const subscribed = members.map(({ memberId, memberMetadata }) =>
          decodeMember(memberId, memberMetadata),
        );
        const partitions = await partitionsOfAll(cluster, subscribed);
        previous = dividePartitions(subscribed, partitions, previous);
        return Array.from(previous, ([memberId, held]) => ({
          memberId,
          memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({
            version: PROTOCOL_VERSION,
            assignment: byTopic(held),
            userData: Buffer.alloc(0),
          }),
        }));
      },
      protocol: ({ topics }) => ({
        name: "roundrobin",
        metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({
          version: PROTOCOL_VERSION,
          topics,
          userData: Buffer.alloc(0),
        }),
      }),
    };
  };
}

function decodeMember(memberId: string, metadata: Buffer): SubscribedMember {
  const decoded = kafkajs.AssignerProtocol.MemberMetadata.decode(metadata);
  return { memberId, topics: new Set(decoded?.topics) };
}

async function partitionsOfAll(
  cluster: Cluster,
  members: readonly SubscribedMember[],
): Promise<readonly TopicPartition[]> {
  const topics = [...new Set(members.flatMap(({ topics: own }) => [...own]))].toSorted();
  for (const topic of topics) {
    try {
      await cluster.addTargetTopic(topic);
    } catch {
      // A topic of another member that does not exist, or not for us, has no partitions and must not stop the group.
    }
  }
  return topics.flatMap((topic) =>
    cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => ({ topic, partition: partitionId }))
      .toSorted((a, b) => a.partition - b.partition),
  );
}

function byTopic(partitions: readonly TopicPartition[]): Record<string, number[]> {
  const topics: Record<string, number[]> = {};
  for (const { topic, partition } of partitions) (topics[topic] ??= []).push(partition);
  return topics;
}
