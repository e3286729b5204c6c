import type { ComponentHealth } from "../contracts/health.ts";
import type { BusCore } from "./bus-core.ts";
import type { HealthSubject } from "./health-checks.ts";

/** What a look at one component found. */
export type Finding = Omit<ComponentHealth, "sinceMs">;

const HEALTHY: Finding = Object.freeze({ status: "healthy", detail: "" });
/** A message that has failed so often is told of, even if it is retried for ever. */
const TELLING_FAILURES = 3;

/** The components that core itself looks at. */
export function coreFindings(subject: HealthSubject): Readonly<Record<string, Finding>> {
  return {
    bus: busFinding(subject),
    connection: connectionFinding(subject),
    handlers: handlersFinding(subject.core),
    subscriptions: subscriptionsFinding(subject),
    eventLoop: loopFinding(subject.core),
  };
}

function busFinding({ status }: HealthSubject): Finding {
  if (status === "running") return HEALTHY;
  return { status: "unhealthy", detail: `the bus is ${status}` };
}

function connectionFinding({ core, disconnectedAfterMs }: HealthSubject): Finding {
  const { disconnection } = core.reporter.connection;
  if (disconnection === undefined) return HEALTHY;
  const forMs = core.clock.now() - disconnection.sinceMs;
  const reason = messageOf(disconnection.error);
  return {
    status: forMs < disconnectedAfterMs ? "degraded" : "unhealthy",
    detail: `the broker has not been reached for ${seconds(forMs)}: ${reason}`,
  };
}

function handlersFinding({ reporter }: BusCore): Finding {
  const failing = reporter.failingDeliveries.filter(({ failures }) => failures >= TELLING_FAILURES);
  const deadLetter = reporter.failingDeliveries.find(({ deadLetterFailing }) => deadLetterFailing);
  if (deadLetter !== undefined)
    return {
      status: "degraded",
      detail: `dead letters of ${deadLetter.subscription.topic} cannot be stored`,
    };
  if (failing.length === 0) return HEALTHY;
  return {
    status: "degraded",
    detail: `${failing.length} messages have failed at least three times and hold their key or partition`,
  };
}

function subscriptionsFinding(subject: HealthSubject): Finding {
  const { core, consumers, watch, stalledAfterMs } = subject;
  const [ended] = core.reporter.connection.endedGroups;
  if (ended !== undefined)
    return {
      status: "unhealthy",
      detail: `the membership in group ${ended[0]} has ended: ${messageOf(ended[1])}`,
    };
  const [worst] = watch.partitions().toSorted((one, other) => other.stalledMs - one.stalledMs);
  if (worst !== undefined && worst.stalledMs >= stalledAfterMs) {
    const { topic, partition, oldestUnsettled } = worst.state;
    return {
      status: "unhealthy",
      detail: `${topic}/${partition} is stalled at offset ${oldestUnsettled?.offset} for ${seconds(worst.stalledMs)}`,
    };
  }
  const rebalance = rebalanceFinding(subject);
  if (rebalance !== undefined) return rebalance;
  const held = consumers.flatMap(({ heldTopics }) => heldTopics);
  if (held.length > 0)
    return { status: "degraded", detail: `topics without a handler are held: ${held.join(", ")}` };
  return HEALTHY;
}

function rebalanceFinding(subject: HealthSubject): Finding | undefined {
  const { core, consumers, rebalancingAfterMs } = subject;
  // A group that has given up its last topic is assigned nothing any more.
  const wanting = consumers.filter(
    ({ routes, heldTopics }) => routes.length + heldTopics.length > 0,
  );
  const [longest] = [...core.reporter.connection.rebalancingGroups]
    .filter(([group]) => wanting.some((consumer) => consumer.group === group))
    .toSorted((one, other) => one[1] - other[1]);
  if (longest === undefined) return undefined;
  const [group, sinceMs] = longest;
  const forMs = core.clock.now() - sinceMs;
  if (forMs < rebalancingAfterMs) return undefined;
  return {
    status: "degraded",
    detail: `group ${group} has been rebalancing for ${seconds(forMs)}`,
  };
}

function loopFinding({ loopGuard }: BusCore): Finding {
  const block = loopGuard.lately;
  if (block === undefined) return HEALTHY;
  const by = block.handler === undefined ? "" : ` by the handler of ${block.handler}`;
  return {
    status: "degraded",
    detail: `the event loop was blocked for ${seconds(block.lastedMs)}${by} within the last minute`,
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** What was thrown, for a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
