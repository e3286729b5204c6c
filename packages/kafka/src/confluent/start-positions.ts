import { BusTransportError } from "@bus/core";
import type { StartFrom, TopicPartition, TransportHost } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import { callNative } from "./call-native.ts";
import type { NativeCallback, NativeConsumer, NativePosition } from "./confluent-client-types.ts";
import { mapConfluentError } from "./map-confluent-error.ts";

const ANSWER_TIMEOUT_MS = 2_000;
const ASK_BACK_OFF = Object.freeze({ baseMs: 100, maxMs: 2_000, jitter: 0.2 });

/** librdkafka's word for the first record there is. */
const BEGINNING = -2;

/** What is asked. */
export interface StartPositionsQuery {
  readonly client: Pick<NativeConsumer, "committed" | "queryWatermarkOffsets">;
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
  const { client, group, startFrom } = query;
  if (query.partitions.length === 0) return [];
  const partitions = query.partitions.map(({ topic, partition }) => ({ topic, partition }));
  const committed = await askUntilAnswered<readonly NativePosition[]>(query, (callback) =>
    client.committed(partitions, ANSWER_TIMEOUT_MS, callback),
  );
  return await Promise.all(
    committed.map(async ({ topic, partition, offset }) => {
      if (offset !== undefined && offset >= 0) return { topic, partition, offset };
      const begin = startFrom(topic);
      if (begin === "none") throw noOffset(group, { topic, partition });
      if (begin === "earliest") return { topic, partition, offset: BEGINNING };
      return { topic, partition, offset: await endOf(query, { topic, partition }) };
    }),
  );
}

/**
 * The end of a partition now. Left to look it up by itself, the client does so some time after the member has joined,
 * and passes over what was published in between.
 */
async function endOf(
  query: StartPositionsQuery,
  { topic, partition }: TopicPartition,
): Promise<number> {
  const { highOffset } = await askUntilAnswered<{ readonly highOffset: number }>(
    query,
    (callback) => query.client.queryWatermarkOffsets(topic, partition, ANSWER_TIMEOUT_MS, callback),
  );
  return highOffset;
}

async function askUntilAnswered<TAnswer>(
  { group, host, signal }: StartPositionsQuery,
  ask: (callback: NativeCallback<TAnswer>) => unknown,
): Promise<TAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await callNative<TAnswer>(ask);
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
