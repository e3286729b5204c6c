import { loadKafkajsInternals } from "../src/kafkajs/kafkajs-internals.ts";
import type { KafkajsCluster } from "../src/kafkajs/kafkajs-internals.ts";

/** One fetch of one partition. */
export interface RawFetch {
  readonly topic: string;
  readonly partition?: number;
  readonly fetchOffset?: number;
  /** @defaultValue 1 MiB */
  readonly maxBytes?: number;
  /** @defaultValue "read_committed" */
  readonly isolationLevel?: "read_committed" | "read_uncommitted";
  /** Version of the request. @defaultValue 11 */
  readonly version?: number;
}

/** The response to a fetch as the broker's bytes, after the correlation id. */
export async function fetchRaw(cluster: KafkajsCluster, fetch: RawFetch): Promise<Buffer> {
  const { topic, partition = 0, fetchOffset = 0, maxBytes = 1024 * 1024, version = 11 } = fetch;
  const lookup = loadKafkajsInternals();
  if (lookup.kind === "unavailable") throw new Error(lookup.reason);
  await cluster.addMultipleTargetTopics([topic]);
  const found = cluster
    .findTopicPartitionMetadata(topic)
    .find(({ partitionId }) => partitionId === partition);
  if (found === undefined) throw new Error(`no partition ${partition} of ${topic}`);
  const { nodeId } = { nodeId: found.leader };
  const broker = await cluster.findBroker({ nodeId });
  const partitions = [{ partition, fetchOffset: String(fetchOffset), maxBytes }];
  const args = {
    maxWaitTime: 500,
    minBytes: 1,
    maxBytes: 50 * 1024 * 1024,
    isolationLevel: fetch.isolationLevel === "read_uncommitted" ? 0 : 1,
    topics: [{ topic, partitions }],
    rackId: "",
  };
  const { request } = lookup.internals.fetch.protocol({ version })(args);
  const payload = await broker.connectionPool.send({
    request,
    response: { decode: async (bytes) => bytes, parse: async (bytes) => bytes },
  });
  return payload as Buffer;
}
