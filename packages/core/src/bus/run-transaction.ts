import { deliveryOf } from "../consume/decode-message.ts";
import type { Message } from "../contracts/handler.ts";
import type { PublishReceipt } from "../contracts/message.ts";
import type { Ordering } from "../contracts/scheduler.ts";
import type { Topic } from "../contracts/topic.ts";
import type { TransactionRunner, TransportTransaction } from "../contracts/transaction.ts";
import { BusConfigError } from "../errors/bus-error.ts";
import { BusPublishing } from "./bus-publishing.ts";
import type { BusCore } from "./bus-core.ts";
import type { BusTransaction } from "./event-bus.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What a transaction of a bus needs. */
export interface TransactionParts {
  readonly core: BusCore;
  readonly subscriptions: Subscriptions;
}

/** Run a transaction: the body publishes through the same wrappers as the bus does, inside the transport's transaction. */
export function runTransaction<TResult>(
  parts: TransactionParts,
  body: (transaction: BusTransaction) => Promise<TResult>,
): Promise<TResult> {
  return requireRunner(parts.core).run((transaction) => body(busTransaction(parts, transaction)));
}

function busTransaction(
  { core, subscriptions }: TransactionParts,
  transaction: TransportTransaction,
): BusTransaction {
  const publishing = new BusPublishing(
    core.paths.composePublish((messages) => transaction.publish(messages)),
  );
  return {
    publish: (
      topic: Topic<unknown, never> | string,
      value: unknown,
      options?: object,
    ): Promise<PublishReceipt> => publishing.publish(topic, value, options),
    publishMany: (topic, values, options) => publishing.publishMany(topic, values, options),
    consumed(message: Message<unknown>) {
      const delivery = deliveryOf(message);
      const ordering = subscriptions.active().find(({ spec }) => spec.topic === message.topic)
        ?.spec.ordering;
      if (delivery === undefined || ordering === undefined) throw notOfThisBus(message);
      if (ordering !== "partition") throw orderingNotSupported(message.topic, ordering);
      transaction.consumed(delivery);
    },
  };
}

function requireRunner({ transport }: BusCore): TransactionRunner {
  const { transactions } = transport.capabilities;
  if (transactions !== undefined) return transactions;
  throw new BusConfigError(
    "BUS_UNSUPPORTED",
    `transport ${transport.name} has no capability transactions`,
    {
      details: { transport: transport.name, capability: "transactions" },
    },
  );
}

function notOfThisBus({ topic }: Message<unknown>): BusConfigError {
  return new BusConfigError(
    "BUS_CONFIG",
    `consumed needs the message that a handler of this bus was given, got one of topic ${topic}`,
    {
      details: { path: "message", value: topic },
    },
  );
}

function orderingNotSupported(topic: string, ordering: Ordering): BusConfigError {
  return new BusConfigError(
    "BUS_UNSUPPORTED",
    `consumed needs ordering partition, topic ${topic} has ordering ${ordering}: earlier messages may be unfinished`,
    { details: { topic, ordering } },
  );
}
