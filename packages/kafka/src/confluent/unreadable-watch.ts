import type { BusError, Clock, TopicPartition } from "@bus/core";
import type { NativeConsumer } from "./confluent-client-types.ts";
import { BROKER, LOCAL, nativeCode } from "./map-confluent-error.ts";
import type { FlowingPartition, PartitionFlow } from "./partition-flow.ts";

/** Errors of reading records, after which librdkafka asks for the same ones again. */
const READ_ERRORS: ReadonlySet<number> = new Set([
  LOCAL.badMessage,
  LOCAL.badCompression,
  LOCAL.notImplemented,
  LOCAL.unsupportedFeature,
  BROKER.corruptMessage,
  BROKER.messageTooLarge,
]);

/** A partition that has not moved for so long while there was something to read is the one that the errors are about. */
const STILL_MS = 400;

/** What a watch needs. */
export interface UnreadableWatchParts {
  readonly clock: Clock;
  readonly flow: PartitionFlow;
  readonly onUnreadable: (partition: TopicPartition, error: BusError) => void;
}

/** What of a consumer knows the ends of partitions. */
type MeasuringClient = Pick<NativeConsumer, "getWatermarkOffsets">;

/** Where a partition was seen to stand. */
interface Standing {
  readonly position: number;
  readonly sinceMs: number;
}

/**
 * Finds the partition that cannot be read. librdkafka stays at such a position and says so about twice a second, but
 * the client passes on only the error, not whose it is: it is that of a partition that stands still with records ahead.
 */
export class UnreadableWatch {
  readonly #parts: UnreadableWatchParts;
  #standing = new Map<FlowingPartition, Standing>();

  constructor(parts: UnreadableWatchParts) {
    this.#parts = parts;
  }

  /** Whether an error is of the kind that this watch looks into. */
  isReadError(cause: unknown): boolean {
    return READ_ERRORS.has(nativeCode(cause) ?? 0);
  }

  /** Such an error was reported. */
  failed(client: MeasuringClient, error: BusError): void {
    const { clock, flow, onUnreadable } = this.#parts;
    const nowMs = clock.monotonicMs();
    const before = this.#standing;
    this.#standing = new Map();
    for (const owned of flow.partitions) {
      const { position, topic, partition } = owned;
      if (owned.isPaused || position === undefined || endOf(client, owned) <= position) continue;
      const known = before.get(owned);
      const standing = known?.position === position ? known : { position, sinceMs: nowMs };
      if (nowMs - standing.sinceMs < STILL_MS) this.#standing.set(owned, standing);
      else onUnreadable({ topic, partition }, error);
    }
  }
}

function endOf(client: MeasuringClient, { topic, partition }: FlowingPartition): number {
  try {
    return client.getWatermarkOffsets(topic, partition).highOffset;
  } catch {
    // Nothing was fetched from it yet, so nothing of it can be unreadable.
    return 0;
  }
}
