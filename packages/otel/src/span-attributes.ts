import { BusError } from "@bus/core";
import type { Message, OutgoingMessage, PublishReceipt, SubscriptionSpec } from "@bus/core";
import type { Attributes } from "@opentelemetry/api";

/** What the attributes of all spans of a bus have in common. */
export interface SpanSurroundings {
  /** Name of the transport, which is `messaging.system`. */
  readonly system: string;
  /** Attributes that the user wants everywhere. */
  readonly attributes: Attributes;
}

/** Attribute names. Source: OpenTelemetry's semantic conventions for messaging, https://opentelemetry.io/docs/specs/semconv/messaging/; `bus.…` are our own. */
const NAMES = Object.freeze({
  system: "messaging.system",
  topic: "messaging.destination.name",
  partition: "messaging.destination.partition.id",
  group: "messaging.consumer.group.name",
  operation: "messaging.operation.name",
  operationType: "messaging.operation.type",
  batchCount: "messaging.batch.message_count",
  messageId: "messaging.message.id",
  kafkaOffset: "messaging.kafka.offset",
  kafkaTombstone: "messaging.kafka.message.tombstone",
  errorType: "error.type",
  attempt: "bus.delivery.attempt",
  errorClass: "bus.error.class",
});

/** Attributes of the span of a publish, before it is known where the messages went. */
export function sendAttributes(
  { system, attributes }: SpanSurroundings,
  messages: readonly OutgoingMessage[],
  topic: string | undefined,
): Attributes {
  return {
    ...attributes,
    [NAMES.system]: system,
    [NAMES.operation]: "send",
    [NAMES.operationType]: "send",
    ...(topic === undefined ? {} : { [NAMES.topic]: topic }),
    ...(messages.length === 1 ? {} : { [NAMES.batchCount]: messages.length }),
  };
}

/** Where a single message was stored. */
export function receiptAttributes(
  { system }: SpanSurroundings,
  receipt: PublishReceipt,
): Attributes {
  const { topic, partition, offset } = receipt;
  const partitionId = { [NAMES.partition]: String(partition) };
  return offset === undefined
    ? partitionId
    : { ...partitionId, ...idAttributes(system, { topic, partition, offset }) };
}

/** A run of a handler. */
export interface ProcessedRun {
  /** Of a batch the first. */
  readonly message: Message<unknown>;
  readonly subscription: SubscriptionSpec;
  readonly attempt: number;
  /** How many messages the handler was given; `undefined` when it takes them one by one. */
  readonly batchCount: number | undefined;
}

/** Attributes of the span of a handler. */
export function processAttributes(
  surroundings: SpanSurroundings,
  { message, subscription, attempt, batchCount }: ProcessedRun,
): Attributes {
  const { system } = surroundings;
  return {
    ...operationAttributes(surroundings, subscription, "process"),
    [NAMES.operationType]: "process",
    [NAMES.partition]: String(message.partition),
    ...(batchCount === undefined
      ? idAttributes(system, message)
      : { [NAMES.batchCount]: batchCount }),
    ...(system === "kafka" && batchCount === undefined && message.value === null
      ? { [NAMES.kafkaTombstone]: true }
      : {}),
    [NAMES.attempt]: attempt,
  };
}

/** Attributes of the span in which a dead letter is stored. */
export function deadLetterAttributes(
  surroundings: SpanSurroundings,
  subscription: SubscriptionSpec,
  position: StoredAt,
): Attributes {
  return {
    ...operationAttributes(surroundings, subscription, "dead_letter"),
    [NAMES.operationType]: "settle",
    [NAMES.partition]: String(position.partition),
    ...idAttributes(surroundings.system, position),
  };
}

/** The class that the failure policy gave to an error. */
export function errorClassAttribute(errorClass: string): Attributes {
  return { [NAMES.errorClass]: errorClass };
}

/** What kind of error it was: our code, or its name; never its text. */
export function errorTypeAttribute(error: unknown): Attributes {
  if (BusError.is(error)) return { [NAMES.errorType]: error.code };
  return { [NAMES.errorType]: error instanceof Error ? error.name : "_OTHER" };
}

/** Where a message is. */
export interface StoredAt {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Kafka has an attribute for it; elsewhere the position is what tells a message from all others. */
function idAttributes(system: string, { topic, partition, offset }: StoredAt): Attributes {
  return system === "kafka"
    ? { [NAMES.kafkaOffset]: Number(offset) }
    : { [NAMES.messageId]: `${topic}/${partition}@${offset}` };
}

function operationAttributes(
  { system, attributes }: SpanSurroundings,
  { topic, group }: SubscriptionSpec,
  operation: string,
): Attributes {
  return {
    ...attributes,
    [NAMES.system]: system,
    [NAMES.topic]: topic,
    [NAMES.group]: group,
    [NAMES.operation]: operation,
  };
}
