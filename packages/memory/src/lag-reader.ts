import { BusError } from "@bus/core";
import type {
  GroupLag,
  LagReader,
  PartitionLag,
  StartFrom,
  TopicPartition,
  UnknownPartitionLag,
} from "@bus/core";
import type { InProcessBroker } from "./in-process-broker.ts";
import type { PartitionLog } from "./partition-log.ts";

/** What a lag reader looks at. */
export interface LagReaderParts {
  readonly broker: InProcessBroker;
  /** @throws BusError when the broker cannot be reached. */
  readonly requireConnection: () => void;
  /** Where a group without a committed offset would begin in a topic. */
  readonly startFromOf: (group: string, topic: string) => StartFrom;
}

/** Make the lag capability of one client. */
export function createLagReader({
  broker,
  requireConnection,
  startFromOf,
}: LagReaderParts): LagReader {
  const lagOf = (group: string, log: PartitionLog): PartitionLag => {
    const committed = broker.findGroup(group)?.committed(log);
    const first = committed ?? (startFromOf(group, log.topic) === "latest" ? log.next : log.low);
    return {
      topic: log.topic,
      partition: log.partition,
      committed: committed === undefined ? undefined : BigInt(committed),
      low: BigInt(log.low),
      high: BigInt(log.next),
      lagMessages: BigInt(log.next - Math.max(first, log.low)),
    };
  };
  return {
    read: async ({ group, topics, signal }): Promise<GroupLag> => {
      throwIfAborted(signal);
      const partitions: PartitionLag[] = [];
      const unknown: UnknownPartitionLag[] = [];
      for (const topic of topics) {
        try {
          requireConnection();
          partitions.push(...broker.topics.require(topic).logs.map((log) => lagOf(group, log)));
        } catch (error) {
          unknown.push({ topic, partition: -1, error });
        }
      }
      return { partitions, unknown };
    },
    olderThan: async (lag, olderThanMs, signal): Promise<readonly TopicPartition[]> => {
      throwIfAborted(signal);
      requireConnection();
      const newestMs = broker.clock.now() - olderThanMs;
      const old = lag.filter(({ topic, partition, high, lagMessages }) => {
        const log = broker.topics.find(topic)?.logs[partition];
        return (
          log !== undefined &&
          lagMessages > 0n &&
          holdsOlder(log, Number(high - lagMessages), newestMs)
        );
      });
      return old.map(({ topic, partition }) => ({ topic, partition }));
    },
  };
}

/** Whether a message at or after an offset is at least as old as a time; mostly the first one tells. */
function holdsOlder(log: PartitionLog, offset: number, timeMs: number): boolean {
  for (const { timestampMs } of log.from(offset)) if (timestampMs < timeMs) return true;
  return false;
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new BusError("BUS_ABORTED", "reading lag was aborted", { cause: signal.reason });
}
