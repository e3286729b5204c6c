import { GroupConsumer } from "../consume/group-consumer.ts";
import type { HandlerRun, RunningHandlers } from "../consume/running-handlers.ts";
import type { BatchHandler, Handler } from "../contracts/handler.ts";
import type { ActiveSubscription, AnyHandler } from "../contracts/plugin.ts";
import type { SubscriptionSpec } from "../contracts/scheduler.ts";
import type { Subscription } from "../contracts/subscribe.ts";
import type { Topic } from "../contracts/topic.ts";
import type { CloseOptions, CloseReport, StartFrom } from "../contracts/transport.ts";
import { BusClosedError, BusConfigError } from "../errors/bus-error.ts";
import { BUS_METRICS } from "../observe/bus-metrics.ts";
import { bytesTopic } from "../topics/define-topic.ts";
import { validateOptions } from "../options/validate-options.ts";
import { buildBatchRoute, buildRoute } from "./build-route.ts";
import type { RouteRequest, WiredRoute } from "./build-route.ts";
import type { BusCore } from "./bus-core.ts";
import { subscribeBatchOptions, subscribeOptions } from "./subscribe-options.ts";

/** Which plugins exist and which group is the default: what subscriptions are checked against. */
export interface SubscriptionRules {
  readonly defaultGroup: string | undefined;
  readonly pluginNames: readonly string[];
}

interface NewRoute {
  readonly topic: Topic<unknown, never>;
  readonly spec: SubscriptionSpec;
  readonly startFrom: StartFrom | undefined;
  readonly maxProcessingTimeMs: number;
  readonly wire: (request: RouteRequest) => WiredRoute;
}

/** Every subscription of a bus: one consumer per group, one handler per topic in a group. */
export class Subscriptions {
  readonly #core: BusCore;
  readonly #rules: SubscriptionRules;
  readonly #consumers = new Map<string, GroupConsumer>();
  readonly #running = new Set<RunningHandlers>();
  #started = false;
  #closing = false;

  constructor(core: BusCore, rules: SubscriptionRules) {
    this.#core = core;
    this.#rules = rules;
  }

  get consumers(): readonly GroupConsumer[] {
    return [...this.#consumers.values()];
  }

  /** Handlers that run now, over all subscriptions. */
  get runs(): readonly HandlerRun[] {
    return [...this.#running].flatMap((running) => running.runs);
  }

  active(): readonly ActiveSubscription[] {
    return this.consumers.flatMap((consumer) =>
      consumer.routes.map(({ spec }) => ({
        spec,
        partitions: () => consumer.partitions().filter(({ topic }) => topic === spec.topic),
      })),
    );
  }

  hold(topic: string): void {
    this.#consumer(this.#groupOf(undefined)).hold(topic);
  }

  async subscribe(
    topicOrName: Topic<unknown, never> | string,
    handler: Handler<never>,
    given: unknown,
  ): Promise<Subscription> {
    requireFunction(handler);
    const options = validateOptions(subscribeOptions, given, "subscribe");
    const topic = topicOf(topicOrName);
    const spec = this.#spec(topic, options);
    const { startFrom, maxProcessingTimeMs } = options;
    const wire = (request: RouteRequest): WiredRoute =>
      buildRoute(this.#core, request, handler as AnyHandler); // called with values of its topic only
    return this.#add({ topic, spec, startFrom, maxProcessingTimeMs, wire });
  }

  async subscribeBatch(
    topic: Topic<unknown, never>,
    handler: BatchHandler<never>,
    given: unknown,
  ): Promise<Subscription> {
    requireFunction(handler);
    const { maxMessages, maxWaitMs, ...options } = validateOptions(
      subscribeBatchOptions,
      given,
      "subscribeBatch",
    );
    const spec = this.#spec(topic, { ...options, ordering: "partition", concurrency: 1 });
    const { startFrom, maxProcessingTimeMs } = options;
    // Called with values of its topic only.
    const batch = { handler: handler as BatchHandler<unknown>, limits: { maxMessages, maxWaitMs } };
    const wire = (request: RouteRequest): WiredRoute => buildBatchRoute(this.#core, request, batch);
    return this.#add({ topic, spec, startFrom, maxProcessingTimeMs, wire });
  }

  /** Join every group; the first failure is thrown after the others have been tried. */
  async start(): Promise<void> {
    this.#started = true;
    await Promise.all(this.consumers.map((consumer) => consumer.start()));
  }

  async close(options: CloseOptions): Promise<CloseReport> {
    this.#closing = true;
    const reports = await Promise.all(this.consumers.map((consumer) => consumer.close(options)));
    for (const running of this.#running) running.close();
    return {
      abandonedDeliveries: reports.reduce((sum, report) => sum + report.abandonedDeliveries, 0),
    };
  }

  async #add({
    topic,
    spec,
    startFrom,
    maxProcessingTimeMs,
    wire,
  }: NewRoute): Promise<Subscription> {
    if (this.#closing)
      throw new BusClosedError(`cannot subscribe ${spec.topic}: the bus is closing`);
    const consumer = this.#consumer(spec.group);
    if (consumer.hasHandler(spec.topic)) throw secondHandler(spec);
    const { scheduler, running } = wire({ topic, spec, maxProcessingTimeMs, flow: consumer.flow });
    this.#running.add(running);
    const joinLate = this.#started && !consumer.joined;
    await consumer.add({ spec, scheduler, startFrom });
    if (joinLate) await consumer.start();
    const close = once(async (hold: boolean) => {
      await consumer.remove(spec.topic, hold);
      running.close();
      this.#running.delete(running);
    });
    return {
      topic: spec.topic,
      group: spec.group,
      close: (options) => close(options?.hold === true),
    };
  }

  #spec(
    topic: Topic<unknown, never>,
    options: Omit<SubscriptionSpec, "topic" | "group"> & { readonly group?: string },
  ): SubscriptionSpec {
    const unknown = Object.keys(options.plugins).find(
      (name) => !this.#rules.pluginNames.includes(name),
    );
    if (unknown !== undefined) {
      throw new BusConfigError(
        "BUS_CONFIG",
        `subscribe.plugins.${unknown} names a plugin that is not installed`,
        {
          details: { path: `subscribe.plugins.${unknown}`, value: options.plugins[unknown] },
        },
      );
    }
    const { ordering, concurrency, plugins } = options;
    return Object.freeze({
      topic: topic.name,
      group: this.#groupOf(options.group),
      ordering,
      concurrency,
      plugins,
    });
  }

  #groupOf(group: string | undefined): string {
    const chosen = group ?? this.#rules.defaultGroup;
    if (chosen !== undefined && chosen !== "") return chosen;
    throw new BusConfigError(
      "BUS_CONFIG",
      `group is required to subscribe, got ${JSON.stringify(chosen)}`,
      {
        details: { path: "group", value: chosen },
      },
    );
  }

  #consumer(group: string): GroupConsumer {
    const known = this.#consumers.get(group);
    if (known !== undefined) return known;
    const { transport, clock, reporter, hub, instruments } = this.#core;
    instruments.counter(BUS_METRICS.rebalances, { group });
    const consumer = new GroupConsumer({ group, transport, clock, reporter, hub });
    this.#consumers.set(group, consumer);
    return consumer;
  }
}

function topicOf(topic: Topic<unknown, never> | string): Topic<unknown, never> {
  if (typeof topic === "string") return bytesTopic(topic);
  if (topic?.kind === "topic") return topic;
  throw new BusConfigError(
    "BUS_CONFIG",
    `topic must be a name or come from defineTopic, got ${typeof topic}`,
    {
      details: { path: "topic", value: topic },
    },
  );
}

function requireFunction(handler: unknown): void {
  if (typeof handler === "function") return;
  throw new BusConfigError("BUS_CONFIG", `handler must be a function, got ${typeof handler}`, {
    details: { path: "handler", value: handler },
  });
}

function secondHandler({ topic, group }: SubscriptionSpec): BusConfigError {
  return new BusConfigError(
    "BUS_CONFIG",
    `topic ${topic} already has a handler in group ${group}; use another group for a second one`,
    {
      details: { path: "topic", value: topic, group },
    },
  );
}

/** Later calls share the outcome of the first. */
function once<TArgument>(
  action: (argument: TArgument) => Promise<void>,
): (argument: TArgument) => Promise<void> {
  let outcome: Promise<void> | undefined;
  return (argument) => (outcome ??= action(argument));
}
