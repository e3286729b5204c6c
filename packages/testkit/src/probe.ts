import type { Delivery, Message, Plugin, PluginHost, PluginInstance, Topic } from "@bus/core";
import { ProbeRecords } from "./probe-records.ts";
import type { ProbedMessage, ProbePredicate, ProbeRecord, ProbeWait } from "./probe-records.ts";
import { ProbeSettlements } from "./probe-settlements.ts";

/** Waits for one kind of event. Resolves with the first one, seen before or after the call. */
export type ProbeWaiter = <TValue>(
  topic: Topic<TValue, never> | string,
  predicate?: ProbePredicate<TValue>,
  options?: ProbeWait,
) => Promise<ProbedMessage<TValue>>;

/** Watches a bus in a test; a plugin that adds nothing to it. */
export interface Probe extends Plugin<object> {
  /** A message whose handler succeeded. @throws AssertionError listing what was seen. */
  readonly handled: ProbeWaiter;
  /** A run that failed, with its error. @throws AssertionError listing what was seen. */
  readonly failed: ProbeWaiter;
  /** A message that was dead-lettered, with the error of its last run. @throws AssertionError listing what was seen. */
  readonly deadLettered: ProbeWaiter;
  /**
   * Resolves once nothing that the bus has received is unsettled, and every message that it has published to a topic
   * it subscribes to has been settled by each of its groups.
   *
   * @throws AssertionError listing what is missing.
   */
  settled(options?: ProbeWait): Promise<void>;
  /** Everything seen so far, oldest first, at most the last 10,000 records. */
  readonly seen: readonly ProbeRecord[];
}

/**
 * Make a probe for one bus: pass it as a plugin, then wait for what should happen instead of sleeping.
 *
 * ```ts
 * const probe = createProbe();
 * await using bus = createEventBus({ group: "billing", transport: memory(), plugins: [probe] });
 * // …subscribe, start
 * await bus.publish(Orders, order);
 * await probe.handled(Orders, (message) => message.value.id === order.id);
 * ```
 */
export function createProbe(): Probe {
  const records = new ProbeRecords();
  const settlements = new ProbeSettlements(records);
  return {
    kind: "plugin",
    name: "probe",
    options: {},
    install: (host) => install(host, records, settlements),
    handled: (topic, predicate, options) =>
      records.first({ kind: "handled", topic, predicate, options }),
    failed: (topic, predicate, options) =>
      records.first({ kind: "failed", topic, predicate, options }),
    deadLettered: (topic, predicate, options) =>
      records.first({ kind: "deadLettered", topic, predicate, options }),
    settled: (options) => settlements.settled(options),
    get seen() {
      return records.seen;
    },
  };
}

function install(
  host: PluginHost,
  records: ProbeRecords,
  settlements: ProbeSettlements,
): PluginInstance<object> {
  host.observe(settlements.observer(host));
  host.observe({
    deadLettered: (delivery) => {
      const last = records.last(delivery)?.message ?? undecodable(delivery);
      records.add({ kind: "deadLettered", message: last });
    },
  });
  host.wrapHandler((next) => async (message, context) => {
    const seen = copyOf(message, context.attempt);
    try {
      await next(message, context);
    } catch (error) {
      records.add({ kind: "failed", message: { ...seen, error } });
      throw error;
    }
    records.add({ kind: "handled", message: seen });
  });
  return { api: {} };
}

/** Handlers may change what they were given, and bytes may be views: keep a copy. */
function copyOf(message: Message<unknown>, attempt: number): ProbedMessage<unknown> {
  const { topic, partition, offset, timestampMs, key, value } = message;
  const headers = message.headers.map(([name, bytes]) => [name, new Uint8Array(bytes)] as const);
  const kept = value instanceof Uint8Array ? new Uint8Array(value) : value;
  return {
    topic,
    partition,
    offset,
    timestampMs,
    key,
    value: kept,
    headers,
    attempt,
    error: undefined,
  };
}

/** A message that never reached its handler. */
function undecodable(delivery: Delivery): ProbedMessage<unknown> {
  const { topic, partition, offset, timestampMs, attempt } = delivery;
  const key = delivery.key === null ? null : new TextDecoder().decode(delivery.key);
  const value = delivery.value === null ? null : new Uint8Array(delivery.value);
  const headers = delivery.headers.map(([name, bytes]) => [name, new Uint8Array(bytes)] as const);
  return { topic, partition, offset, timestampMs, key, value, headers, attempt, error: undefined };
}
