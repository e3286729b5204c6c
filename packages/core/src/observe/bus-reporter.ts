import type { Clock } from "../contracts/clock.ts";
import type { Delivery } from "../contracts/delivery.ts";
import type { Failure, FailureDecision } from "../contracts/failure.ts";
import type { Instruments } from "../contracts/instruments.ts";
import type { Logger } from "../contracts/logger.ts";
import type { SubscriptionSpec } from "../contracts/scheduler.ts";
import type { TransportEvent } from "../contracts/transport.ts";
import { BUS_METRICS } from "./bus-metrics.ts";
import { ConnectionWatch } from "./connection-watch.ts";
import type { ObserverHub } from "./observer-hub.ts";

/** A delivery that has failed and not yet settled. */
export interface FailingDelivery {
  readonly delivery: Delivery;
  readonly subscription: SubscriptionSpec;
  readonly sinceMs: number;
  failures: number;
  /** The run that failed last, 1-based. */
  attempt: number;
  errorClass: string;
  lastError: unknown;
  /** Whether the dead letter is what fails. */
  deadLetterFailing: boolean;
}

/** What the reporter writes to. */
export interface ReporterParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instruments: Instruments;
  readonly hub: ObserverHub;
}

/** Hears of every failure and event of a bus and tells log, counters, observers and health. Off the success path. */
export class BusReporter {
  readonly #parts: ReporterParts;
  readonly #failing = new Map<Delivery, FailingDelivery>();
  /** What the transport said of its connection. */
  readonly connection: ConnectionWatch;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.connection = new ConnectionWatch(parts.clock);
    // What has not happened yet is 0: a counter that appears with its first count seems not to have grown.
    parts.instruments.counter(BUS_METRICS.reconnects);
    parts.instruments.gauge(BUS_METRICS.connected);
  }

  /** Deliveries that have failed and not yet settled, oldest first. */
  get failingDeliveries(): readonly FailingDelivery[] {
    return [...this.#failing.values()];
  }

  failing(delivery: Delivery, subscription: SubscriptionSpec): void {
    const sinceMs = this.#parts.clock.now();
    const entry = {
      delivery,
      subscription,
      sinceMs,
      failures: 0,
      attempt: delivery.attempt,
      errorClass: "",
      lastError: undefined,
      deadLetterFailing: false,
    };
    this.#failing.set(delivery, entry);
  }

  recovered(delivery: Delivery): void {
    this.#failing.delete(delivery);
  }

  failed(failure: Failure, decision: FailureDecision): void {
    const { delivery, subscription, error, attempt } = failure;
    const { topic, group } = subscription;
    const { instruments, logger, hub } = this.#parts;
    const entry = this.#failing.get(delivery);
    if (entry !== undefined) {
      entry.failures++;
      entry.attempt = attempt;
      entry.errorClass = decision.errorClass;
      entry.lastError = error;
    }
    const position = {
      topic,
      group,
      partition: delivery.partition,
      offset: delivery.offset.toString(),
      attempt,
    };
    if (decision.kind === "skip") {
      logger.info("message skipped", { ...position, reason: decision.reason });
      return;
    }
    instruments
      .counter(BUS_METRICS.processingErrors, { topic, group, class: decision.errorClass })
      .add(1);
    if (decision.kind === "deadLetter") {
      logger.warn("message failed for good", {
        ...position,
        errorClass: decision.errorClass,
        error,
      });
      return;
    }
    instruments.counter(BUS_METRICS.retries, { topic, group }).add(1);
    logger.warn("message failed, will be retried", {
      ...position,
      afterMs: decision.afterMs,
      error,
    });
    hub.notify("retried", delivery, subscription, {
      error,
      errorClass: decision.errorClass,
      attempt,
      afterMs: decision.afterMs,
    });
  }

  deadLettered(delivery: Delivery, subscription: SubscriptionSpec, errorClass: string): void {
    this.#parts.instruments
      .counter(BUS_METRICS.deadLetters, { topic: subscription.topic, class: errorClass })
      .add(1);
    this.#parts.hub.notify("deadLettered", delivery, subscription, errorClass);
  }

  deadLetterFailed(failure: Failure, errorClass: string, error: unknown): void {
    const { delivery, subscription } = failure;
    const entry = this.#failing.get(delivery);
    if (entry !== undefined) {
      entry.deadLetterFailing = true;
      entry.lastError = error;
    }
    this.#parts.instruments
      .counter(BUS_METRICS.deadLetterFailures, { topic: subscription.topic, class: errorClass })
      .add(1);
    this.#parts.logger.error("dead letter could not be stored; the message is held", {
      topic: subscription.topic,
      partition: delivery.partition,
      offset: delivery.offset.toString(),
      error,
    });
    this.#parts.hub.notify("deadLetterFailed", delivery, subscription, error);
  }

  overdue(delivery: Delivery, subscription: SubscriptionSpec): void {
    const { topic, group } = subscription;
    this.#parts.instruments.counter(BUS_METRICS.overdue, { topic, group }).add(1);
    this.#parts.logger.error("handler exceeded its deadline; its signal was aborted", {
      topic,
      group,
      partition: delivery.partition,
      offset: delivery.offset.toString(),
    });
  }

  /** A plugin or transport broke its contract; the message is safe, but somebody must repair it. */
  defect(what: string, error: unknown): void {
    this.#parts.logger.error(what, { error });
  }

  transportEvent(event: TransportEvent): void {
    this.connection.follow(event);
    this.#count(event);
    this.#log(event);
    this.#parts.hub.notify("transport", event);
  }

  #count(event: TransportEvent): void {
    const { instruments } = this.#parts;
    switch (event.kind) {
      case "connected":
        return instruments.gauge(BUS_METRICS.connected).set(1);
      case "disconnected":
        return instruments.gauge(BUS_METRICS.connected).set(0);
      case "reconnecting":
        return instruments.counter(BUS_METRICS.reconnects).add(1);
      case "rebalancing":
        return instruments.counter(BUS_METRICS.rebalances, { group: event.group }).add(1);
      case "committed":
        return instruments
          .histogram(BUS_METRICS.commitSeconds, { group: event.group })
          .record(event.durationMs / 1000);
      case "duplicateDropped":
        return instruments
          .counter(BUS_METRICS.duplicatesDropped, { topic: event.topic, group: event.group })
          .add(event.count);
      case "assigned":
      case "revoked":
      case "commitFailed":
      case "subscriptionEnded":
      case "warning":
        return undefined;
      default:
        return event satisfies never;
    }
  }

  #log(event: TransportEvent): void {
    const { logger } = this.#parts;
    const { kind, ...fields } = event;
    if (event.kind === "warning") logger.warn(event.message, event.details);
    else if (kind === "subscriptionEnded") logger.error("subscription ended", fields);
    else if (kind === "commitFailed" || kind === "disconnected" || kind === "reconnecting")
      logger.warn(`transport ${kind}`, fields);
    else if (kind === "committed" || kind === "duplicateDropped")
      logger.debug(`transport ${kind}`, fields);
    else logger.info(`transport ${kind}`, fields);
  }
}
