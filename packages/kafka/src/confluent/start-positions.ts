import { BusTransportError } from "@bus/core";
import type { StartFrom, TopicPartition, TransportHost } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import { callNative } from "./call-native.ts";
import type { NativeConsumer, NativePosition } from "./confluent-client-types.ts";
import { mapConfluentError } from "./map-confluent-error.ts";

const ANSWER_TIMEOUT_MS = 2_000;
const ASK_BACK_OFF = Object.freeze({ baseMs: 100, maxMs: 2_000, jitter: 0.2 });

/** librdkafka's words for the ends of a partition. */
const BEGINNING = -2;
const END = -1;

/** What is asked. */
export interface StartPositionsQuery {
  readonly client: NativeConsumer;
  readonly group: string;
  readonly partitions: readonly TopicPartition[];
  /** Where a topic begins without a committed offset. */
  readonly startFrom: (topic: string) => StartFrom;
  readonly host: TransportHost;
  /** Ends the question; then the answer does not matter. */
  readonly signal: AbortSignal;
}

/**
 * Where to begin reading: at the group's committed offset, else where the topic says. The client knows only one such
 * setting for all topics, and none that refuses to begin.
 *
 * @throws BusTransportError `BUS_NO_OFFSET`, `BUS_AUTHORIZATION` and others that trying again does not mend.
 */
export async function startPositions(
  query: StartPositionsQuery,
): Promise<readonly NativePosition[]> {
  if (query.partitions.length === 0) return [];
  const committed = await askUntilAnswered(query);
  return committed.map(({ topic, partition, offset }) => {
    if (offset !== undefined && offset >= 0) return { topic, partition, offset };
    const startFrom = query.startFrom(topic);
    if (startFrom === "none") throw noOffset(query.group, { topic, partition });
    return { topic, partition, offset: startFrom === "earliest" ? BEGINNING : END };
  });
}

async function askUntilAnswered(query: StartPositionsQuery): Promise<readonly NativePosition[]> {
  const { client, group, host, signal } = query;
  const partitions = query.partitions.map(({ topic, partition }) => ({ topic, partition }));
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await callNative<readonly NativePosition[]>((callback) =>
        client.committed(partitions, ANSWER_TIMEOUT_MS, callback),
      );
    } catch (error) {
      const mapped = mapConfluentError(error, {
        doing: `reading offsets of group ${group}`,
        details: { group },
      });
      if (signal.aborted || !mapped.retryable) throw mapped;
      host.logger.debug(mapped.message, mapped.details);
      await wait(host.clock, backOffMs(attempt, ASK_BACK_OFF, host.random), signal);
    }
  }
}

function noOffset(group: string, { topic, partition }: TopicPartition): BusTransportError {
  const message = `group ${group} has no committed offset in ${topic}[${partition}], and the start position is none`;
  return new BusTransportError("BUS_NO_OFFSET", message, { details: { group, topic, partition } });
}
