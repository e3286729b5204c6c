import { BusError, BusTransportError, publishError } from "@bus/core";
import type { OutgoingMessage, PublishOutcome, PublishReceipt } from "@bus/core";
import { messageSizeBytes } from "@bus/core/adapter";
import type { PartitionLog } from "./partition-log.ts";
import type { PublishFaults } from "./publish-faults.ts";
import type { MemoryTopic } from "./topic-store.ts";

/** What storing needs to know of a broker and of the client that publishes. */
export interface StoreContext {
  readonly maxMessageBytes: number;
  readonly faults: PublishFaults;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** @throws BusTransportError `BUS_TOPIC_MISSING` */
  readonly topicOf: (name: string) => MemoryTopic;
}

/**
 * Store messages, in order. One that fails does not keep the others from being stored.
 *
 * @throws BusError when at least one failed, as `publishError` makes it.
 */
export function storeMessages(
  messages: readonly OutgoingMessage[],
  context: StoreContext,
): readonly PublishReceipt[] {
  const receipts: PublishReceipt[] = [];
  const failures = new Map<number, BusError>();
  const nowMs = context.now();
  for (let index = 0; index < messages.length; index += 1) {
    const message = messages[index];
    try {
      if (message !== undefined) receipts.push(storeOne(message, context, nowMs));
    } catch (error) {
      if (!BusError.is(error)) throw error;
      failures.set(index, error);
    }
  }
  if (failures.size === 0) return receipts;
  throw publishError(outcomesOf(messages.length, receipts, failures));
}

function storeOne(message: OutgoingMessage, context: StoreContext, nowMs: number): PublishReceipt {
  const topic = context.topicOf(message.topic);
  const log = logOf(message, topic);
  const sizeBytes = messageSizeBytes(message);
  if (sizeBytes > context.maxMessageBytes)
    throw tooLarge(message, sizeBytes, context.maxMessageBytes);
  const failure = context.faults.any ? context.faults.failureOf(message) : undefined;
  if (failure !== undefined && !failure.stored) throw failure.error;
  const { key, value, headers, timestampMs = nowMs } = message;
  const offset = log.next;
  log.append({ offset, timestampMs, sizeBytes, key, value, headers });
  if (topic.retentionMessages !== undefined) log.keepNewest(topic.retentionMessages);
  if (failure !== undefined) throw failure.error;
  return { topic: topic.name, partition: log.partition, offset: BigInt(offset) };
}

function logOf({ key, partition }: OutgoingMessage, topic: MemoryTopic): PartitionLog {
  const log = partition === undefined ? topic.logFor(key) : topic.logs[partition];
  if (log !== undefined) return log;
  const message = `topic ${topic.name} has ${topic.logs.length} partitions, there is no partition ${partition}`;
  throw new BusError("BUS_INVALID_MESSAGE", message, { details: { topic: topic.name, partition } });
}

function tooLarge(
  { topic }: OutgoingMessage,
  sizeBytes: number,
  maxMessageBytes: number,
): BusError {
  const message = `a message to ${topic} has ${sizeBytes} bytes, maxMessageBytes is ${maxMessageBytes}`;
  return new BusTransportError("BUS_MESSAGE_TOO_LARGE", message, {
    details: { topic, sizeBytes, maxMessageBytes },
  });
}

function outcomesOf(
  count: number,
  receipts: readonly PublishReceipt[],
  failures: ReadonlyMap<number, BusError>,
): readonly PublishOutcome[] {
  const stored = receipts.values();
  return Array.from({ length: count }, (_, index): PublishOutcome => {
    const error = failures.get(index);
    if (error !== undefined) return { kind: "failed", error };
    const { value: receipt } = stored.next();
    if (receipt === undefined)
      throw new RangeError("every message that did not fail has a receipt");
    return { kind: "stored", receipt };
  });
}
