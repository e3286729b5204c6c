import type { ConsumerSink } from "../kafka-driver.ts";
import { NO_RECORDS } from "../no-records.ts";
import type { NativeConsumer, NativeEof, NativeMessage } from "./confluent-client-types.ts";
import { MessageRun } from "./confluent-delivery.ts";
import type { FlowingPartition, PartitionFlow } from "./partition-flow.ts";

/** What of a consumer knows the ends of partitions. */
export type MeasuringClient = Pick<NativeConsumer, "getWatermarkOffsets">;

/** What handing over needs. */
export interface RecordsHandOverParts {
  readonly flow: PartitionFlow;
  readonly sink: Pick<ConsumerSink, "records">;
}

/** Cuts what the client brings into runs of one partition and hands them over, with the positions in between. */
export class RecordsHandOver {
  readonly #parts: RecordsHandOverParts;
  #ends: NativeEof[] = [];

  constructor(parts: RecordsHandOverParts) {
    this.#parts = parts;
  }

  /**
   * A partition was read to its end. The client says so for a whole batch at once, before it hands over the records:
   * an end beyond the position is behind some of them.
   */
  ended(end: NativeEof): void {
    const position = this.#parts.flow.find(end.topic, end.partition)?.position;
    if (position === undefined || end.offset > position) this.#ends.push(end);
    else this.#handOverEnd(end);
  }

  handOver(client: MeasuringClient, messages: readonly NativeMessage[]): void {
    let start = 0;
    while (start < messages.length) start = this.#handOverRun(client, messages, start);
    if (this.#ends.length === 0) return;
    const ends = this.#ends;
    this.#ends = [];
    for (const end of ends) {
      const position = this.#parts.flow.find(end.topic, end.partition)?.position;
      if (position === undefined || end.offset > position) this.#handOverEnd(end);
    }
  }

  /** @returns Where the next run begins. */
  #handOverRun(client: MeasuringClient, messages: readonly NativeMessage[], start: number): number {
    const first = messages[start];
    if (first === undefined) return messages.length;
    const { topic, partition } = first;
    let end = start;
    let bytes = 0;
    let last = first;
    for (
      let message: NativeMessage | undefined = first;
      message !== undefined;
      message = messages[end]
    ) {
      if (message.partition !== partition || message.topic !== topic) break;
      bytes += message.size;
      last = message;
      end += 1;
    }
    const owned = this.#parts.flow.find(topic, partition);
    if (owned === undefined) return end;
    if (owned.isPaused) this.#parts.flow.leftOver(owned, end - start, bytes);
    // A position behind the first record: the log was cut, or was read anew from an earlier offset.
    const fetchedFrom = Math.min(owned.position ?? first.offset, first.offset);
    owned.position = last.offset + 1;
    owned.isTold = true;
    this.#parts.sink.records({
      topic,
      partition,
      fetchedFrom,
      nextPosition: owned.position,
      end: endOf(client, owned, owned.position),
      records: new MessageRun(messages, start, end),
    });
    return end;
  }

  #handOverEnd({ topic, partition, offset }: NativeEof): void {
    const owned = this.#parts.flow.find(topic, partition);
    if (owned === undefined || (owned.isTold && owned.position === offset)) return;
    const fetchedFrom = Math.min(owned.position ?? offset, offset);
    owned.position = offset;
    owned.isTold = true;
    owned.lastStable = undefined;
    this.#parts.sink.records({
      topic,
      partition,
      fetchedFrom,
      nextPosition: offset,
      end: offset,
      records: NO_RECORDS,
    });
  }
}

function endOf(client: MeasuringClient, owned: FlowingPartition, position: number): number {
  if (owned.lastStable !== undefined) return Math.max(owned.lastStable, position);
  try {
    return Math.max(client.getWatermarkOffsets(owned.topic, owned.partition).highOffset, position);
  } catch {
    // Nothing is known before the first answer to a fetch.
    return position;
  }
}
