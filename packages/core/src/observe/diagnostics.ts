import { channel, tracingChannel } from "node:diagnostics_channel";
import type { Channel, TracingChannel } from "node:diagnostics_channel";
import type { Delivery } from "../contracts/delivery.ts";
import type { HandlerContext, Message } from "../contracts/handler.ts";
import type { OutgoingMessage } from "../contracts/message.ts";
import type { BusStatus, Observer, RetryEvent, SettledOutcome } from "../contracts/observer.ts";
import type { AnyHandler, PublishFunction } from "../contracts/plugin.ts";
import type { SubscriptionSpec } from "../contracts/scheduler.ts";
import type { TransportEvent } from "../contracts/transport.ts";

/**
 * Names of the channels of `node:diagnostics_channel` on which every bus of the process tells what it does, for tools
 * that watch a process without being a plugin. `publish` and `process` are tracing channels
 * (`tracingChannel(BUS_CHANNELS.publish)`), the others plain ones (`subscribe(BUS_CHANNELS.settle, …)`).
 *
 * A channel without a subscriber costs a look at a flag. Subscribers get references to live objects and must not keep
 * or change them.
 */
export const BUS_CHANNELS: {
  readonly publish: "bus:publish";
  readonly process: "bus:process";
  readonly settle: "bus:settle";
  readonly retry: "bus:retry";
  readonly deadLetter: "bus:dead-letter";
  readonly transport: "bus:transport";
  readonly status: "bus:status";
} = Object.freeze({
  publish: "bus:publish",
  process: "bus:process",
  settle: "bus:settle",
  retry: "bus:retry",
  deadLetter: "bus:dead-letter",
  transport: "bus:transport",
  status: "bus:status",
});

/** On `bus:publish`: one call of the transport; `result` (receipts) or `error` once it has ended. */
export interface PublishDiagnostics {
  /** Name of the bus's transport, as in every message below. */
  readonly transport: string;
  readonly messages: readonly OutgoingMessage[];
}

/** On `bus:process`: one run of a handler, plugins' wrappers included; `error` when it failed. */
export interface ProcessDiagnostics {
  readonly transport: string;
  readonly subscription: SubscriptionSpec;
  /** Of a batch the first; `context.batch` has all. */
  readonly message: Message<unknown>;
  readonly context: HandlerContext;
}

/** On `bus:settle`: a delivery has ended. */
export interface SettleDiagnostics {
  readonly transport: string;
  readonly subscription: SubscriptionSpec;
  readonly delivery: Delivery;
  readonly outcome: SettledOutcome;
}

/** On `bus:retry`: a failed run is about to be repeated. */
export interface RetryDiagnostics {
  readonly transport: string;
  readonly subscription: SubscriptionSpec;
  readonly delivery: Delivery;
  readonly retry: RetryEvent;
}

/** On `bus:dead-letter`: a message was stored as a dead letter (`errorClass`), or could not be (`error`). */
export interface DeadLetterDiagnostics {
  readonly transport: string;
  readonly subscription: SubscriptionSpec;
  readonly delivery: Delivery;
  readonly errorClass?: string;
  readonly error?: unknown;
}

/** On `bus:transport`: connections, memberships, commits. */
export interface TransportDiagnostics {
  readonly transport: string;
  readonly event: TransportEvent;
}

/** On `bus:status`: a bus starts, runs, closes. */
export interface StatusDiagnostics {
  readonly transport: string;
  readonly status: BusStatus;
}

/** Tells the channels what one bus does. */
export class BusDiagnostics {
  readonly #transport: string;
  readonly #publish: TracingChannel<string, PublishDiagnostics>;
  readonly #process: TracingChannel<string, ProcessDiagnostics>;
  readonly #settle: Channel;

  constructor(transport: string) {
    this.#transport = transport;
    this.#publish = tracingChannel(BUS_CHANNELS.publish);
    this.#process = tracingChannel(BUS_CHANNELS.process);
    this.#settle = channel(BUS_CHANNELS.settle);
  }

  /** Around the transport's publish. */
  tracePublish(publish: PublishFunction): PublishFunction {
    const traced = this.#publish;
    const transport = this.#transport;
    return (messages) =>
      traced.hasSubscribers
        ? traced.tracePromise(() => publish(messages), { transport, messages })
        : publish(messages);
  }

  /** Around a handler, outside of what plugins put around it. */
  traceHandler(handler: AnyHandler, subscription: SubscriptionSpec): AnyHandler {
    const traced = this.#process;
    const transport = this.#transport;
    return (message, context) =>
      traced.hasSubscribers
        ? traced.tracePromise(async () => handler(message, context), {
            transport,
            subscription,
            message,
            context,
          })
        : handler(message, context);
  }

  settled(delivery: Delivery, subscription: SubscriptionSpec, outcome: SettledOutcome): void {
    const settle = this.#settle;
    if (settle.hasSubscribers)
      settle.publish({
        transport: this.#transport,
        subscription,
        delivery,
        outcome,
      } satisfies SettleDiagnostics);
  }

  /** What happens seldom, heard as every observer hears it. */
  observer(): Observer {
    const transport = this.#transport;
    const retry = channel(BUS_CHANNELS.retry);
    const deadLetter = channel(BUS_CHANNELS.deadLetter);
    const events = channel(BUS_CHANNELS.transport);
    const status = channel(BUS_CHANNELS.status);
    return {
      retried: (delivery, subscription, details) =>
        retry.publish({
          transport,
          subscription,
          delivery,
          retry: details,
        } satisfies RetryDiagnostics),
      deadLettered: (delivery, subscription, errorClass) =>
        deadLetter.publish({
          transport,
          subscription,
          delivery,
          errorClass,
        } satisfies DeadLetterDiagnostics),
      deadLetterFailed: (delivery, subscription, error) =>
        deadLetter.publish({
          transport,
          subscription,
          delivery,
          error,
        } satisfies DeadLetterDiagnostics),
      transport: (event) => events.publish({ transport, event } satisfies TransportDiagnostics),
      statusChanged: (now) =>
        status.publish({ transport, status: now } satisfies StatusDiagnostics),
    };
  }
}
