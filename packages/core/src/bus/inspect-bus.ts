import type { BusInspection } from "./event-bus.ts";
import type { HealthSubject } from "./health-checks.ts";

/** Failing deliveries shown at most. */
const MAX_FAILING = 100;

/** What is going on inside a bus now. */
export function inspectBus({ core, status, consumers }: HealthSubject): BusInspection {
  return {
    status,
    groups: consumers.map((consumer) => ({
      group: consumer.group,
      topics: consumer.routes.map(({ spec }) => spec.topic),
      heldTopics: consumer.heldTopics,
      partitions: consumer.partitions(),
    })),
    failing: core.reporter.failingDeliveries
      .slice(0, MAX_FAILING)
      .map(({ delivery, subscription, failures, sinceMs, lastError }) => ({
        topic: subscription.topic,
        group: subscription.group,
        partition: delivery.partition,
        offset: delivery.offset,
        failures,
        sinceMs,
        lastError: nameOf(lastError),
      })),
  };
}

/** The error's class and code: its message may hold contents of the message. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return "code" in error && typeof error.code === "string"
    ? `${error.name} ${error.code}`
    : error.name;
}
