import { aggregate } from "@bus/aggregate";
import type { AggregateOptions } from "@bus/aggregate";
import { backlog } from "@bus/backlog";
import { createEventBus } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import type { OrderingBus, OrderingBusRequest, OrderingSubject } from "@bus/testkit";

/** A bus with both plugins, as the kit asks for it; `change` differs from what it asked. */
export function openBus(
  request: OrderingBusRequest,
  change: Partial<AggregateOptions> = {},
): OrderingBus {
  const { group, transport, concurrency, startMode, clearChecks } = request;
  const { maxLagMessages, checkIntervalMs } = request;
  return createEventBus({
    group,
    transport,
    plugins: [
      aggregate({
        concurrency,
        startMode,
        clearChecks,
        minDwellMs: 0,
        activeLaneRatio: 1,
        ...change,
      }),
      backlog({ maxLagMessages, checkIntervalMs, checkJitter: 0 }),
    ],
  });
}

/** The plugins over the reference transport, on a broker of its own. */
export function memoryOrdering(change: Partial<AggregateOptions> = {}): OrderingSubject {
  const broker = memoryBroker();
  return {
    name: "memory",
    transport: (overrides = {}) =>
      memory({
        broker,
        autoCreateTopics: "never",
        sessionTimeoutMs: 200,
        rebalanceDrainMs: 150,
        ...overrides,
      }),
    openBus: (request) => openBus(request, change),
    timings: { quietMs: 50, takeoverMs: 5_000, commitMs: 500, closeLateMs: 3_000 },
    faults: {
      crash: (process) => Promise.resolve(broker.faults.crash(process)),
      disconnect: (process) => {
        const restore = broker.faults.dropConnection(process);
        return Promise.resolve(() => Promise.resolve(restore()));
      },
    },
  };
}
