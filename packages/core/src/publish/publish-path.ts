import type { Clock } from "../contracts/clock.ts";
import type { Counter, Histogram, Instruments } from "../contracts/instruments.ts";
import type { OutgoingMessage, PublishReceipt } from "../contracts/message.ts";
import type { PublishFunction } from "../contracts/plugin.ts";
import { BusConfigError, BusError, BusTransportError } from "../errors/bus-error.ts";
import { publishOutcomesOf } from "../errors/publish-outcome.ts";
import { BUS_METRICS } from "../observe/bus-metrics.ts";
import type { ObserverHub } from "../observe/observer-hub.ts";
import { SampledTimer } from "../observe/sampled-timer.ts";

/** What the publish path writes to. */
export interface PublishPathParts {
  readonly clock: Clock;
  readonly instruments: Instruments;
  readonly hub: ObserverHub;
}

interface TopicCounters {
  readonly topic: string;
  readonly stored: Counter;
  readonly failed: Counter;
  readonly seconds: Histogram;
}

/**
 * The innermost step of every publish: hand over to the transport, then count, time and tell observers.
 * Wrappers of plugins go around it.
 */
export function measurePublish(publish: PublishFunction, parts: PublishPathParts): PublishFunction {
  const timer = new SampledTimer(parts.clock);
  const counters = new PublishCounters(parts);
  return async function measured(messages) {
    const timing = timer.begin();
    try {
      const receipts = await publish(messages);
      counters.stored(messages, receipts);
      if (timing !== undefined)
        counters.took(messages, timer.elapsedMs(timing) / 1000, timing.timedFor);
      return receipts;
    } catch (error) {
      counters.failed(messages, error);
      throw error;
    }
  };
}

/** Counts publishes by topic; each topic's instruments are looked up once. */
class PublishCounters {
  readonly #instruments: Instruments;
  readonly #hub: ObserverHub;
  readonly #byTopic = new Map<string, TopicCounters>();
  #last: TopicCounters | undefined;

  constructor({ instruments, hub }: PublishPathParts) {
    this.#instruments = instruments;
    this.#hub = hub;
  }

  stored(messages: readonly OutgoingMessage[], receipts: readonly PublishReceipt[]): void {
    // Nearly every call has one message, for which an iterator costs as much as all the counting.
    for (let index = 0; index < messages.length; index++) {
      const message = messages[index];
      if (message !== undefined) this.#of(message.topic).stored.add(1);
    }
    if (!this.#hub.wantsPublished) return;
    const topic = messages[0]?.topic;
    if (topic !== undefined) this.#hub.notify("published", topic, receipts);
  }

  took(messages: readonly OutgoingMessage[], seconds: number, timedFor: number): void {
    for (const { topic } of messages) this.#of(topic).seconds.record(seconds, timedFor);
  }

  failed(messages: readonly OutgoingMessage[], error: unknown): void {
    const outcomes = publishOutcomesOf(error);
    for (const [index, { topic }] of messages.entries()) {
      const { stored, failed } = this.#of(topic);
      (outcomes?.[index]?.kind === "stored" ? stored : failed).add(1);
    }
    const topic = messages[0]?.topic;
    if (topic !== undefined) this.#hub.notify("publishFailed", topic, error);
  }

  #of(topic: string): TopicCounters {
    // Most publishes go where the last one went.
    const last = this.#last;
    if (last !== undefined && last.topic === topic) return last;
    this.#last = this.#byTopic.get(topic) ?? this.#make(topic);
    return this.#last;
  }

  #make(topic: string): TopicCounters {
    const made = {
      topic,
      stored: this.#instruments.counter(BUS_METRICS.published, { topic, outcome: "stored" }),
      failed: this.#instruments.counter(BUS_METRICS.published, { topic, outcome: "failed" }),
      seconds: this.#instruments.histogram(BUS_METRICS.publishSeconds, { topic }),
    };
    this.#byTopic.set(topic, made);
    return made;
  }
}

/**
 * Wait for a publish, but give up when the caller's signal aborts.
 *
 * @throws BusConfigError `BUS_ABORTED` when the signal had aborted before hand-over: nothing was sent.
 * @throws BusTransportError `BUS_OUTCOME_UNKNOWN` when it aborts later: the messages may still be stored.
 */
export async function publishUntilAborted(
  publish: () => Promise<readonly PublishReceipt[]>,
  signal: AbortSignal,
): Promise<readonly PublishReceipt[]> {
  if (signal.aborted)
    throw new BusConfigError("BUS_ABORTED", "publish was aborted before it began", {
      cause: signal.reason,
    });
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () =>
      reject(
        new BusTransportError("BUS_OUTCOME_UNKNOWN", "publish was aborted after hand-over", {
          cause: signal.reason,
        }),
      );
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([publish(), aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}

/** The first receipt of a one-message publish. */
export function onlyReceipt(receipts: readonly PublishReceipt[]): PublishReceipt {
  const [receipt] = receipts;
  if (receipt !== undefined) return receipt;
  throw new BusError("BUS_TRANSPORT", "the transport returned no receipt");
}
