import type { Clock } from "./clock.ts";
import type { Delivery } from "./delivery.ts";
import type { DeadLetterPolicy, RetryPolicy } from "./failure.ts";
import type { BusHealth, HealthCheck } from "./health.ts";
import type { HandlerContext, Message } from "./handler.ts";
import type { Instruments } from "./instruments.ts";
import type { Logger } from "./logger.ts";
import type { OutgoingMessage, PublishReceipt } from "./message.ts";
import type { ModeEvent, Observer } from "./observer.ts";
import type { Ordering, SchedulerFactory, SubscriptionSpec } from "./scheduler.ts";
import type { ServiceKey } from "./service.ts";
import type { SubscribeFunction } from "./subscribe.ts";
import type { PartitionState, Transport } from "./transport.ts";

/** The composed publish path, or a part of it. */
export type PublishFunction = (
  messages: readonly OutgoingMessage[],
) => Promise<readonly PublishReceipt[]>;

/** A handler as wrappers see it: decoded, whatever the topic's type. */
export type AnyHandler = (
  message: Message<unknown>,
  context: HandlerContext,
) => Promise<void> | void;

/** Waits before routing; `undefined` lets the delivery in at once. The wait must end when `delivery.draining` aborts. */
export type Admit = (
  delivery: Delivery,
  subscription: SubscriptionSpec,
) => Promise<void> | undefined;

/** A subscription of the bus as plugins may see it. */
export interface ActiveSubscription {
  readonly spec: SubscriptionSpec;
  /** Partitions of this topic owned now. */
  partitions(): readonly PartitionState[];
}

/** Services by key. */
export interface ServiceDirectory {
  /** Offer a service; offering one id twice is `BUS_CONFIG`. */
  provide<TService>(key: ServiceKey<TService>, service: TService): void;
  /** The service, or `undefined` when no plugin provides it. Complete once every plugin is installed. */
  find<TService>(key: ServiceKey<TService>): TService | undefined;
  /** The service. @throws BusConfigError `BUS_SERVICE_MISSING` naming the package to install. */
  require<TService>(key: ServiceKey<TService>): TService;
}

/** Places where a plugin may take part in the paths of messages; all composed once, never per message. */
export interface PathHooks {
  /** Around every publish; the first installed is outermost. */
  wrapPublish(wrap: (next: PublishFunction) => PublishFunction): void;
  /** Around every handler, once per subscription; the first installed is outermost. */
  wrapHandler(wrap: (next: AnyHandler, subscription: SubscriptionSpec) => AnyHandler): void;
  /** Before routing; all admit hooks must let a delivery in, in order of installation. */
  admit(admit: Admit): void;
  /** Serve an ordering; two plugins for one ordering are `BUS_CONFIG`. */
  provideScheduler(ordering: Ordering, factory: SchedulerFactory): void;
  /** Serve a stage of the failure chain; two plugins for one stage are `BUS_CONFIG`. */
  onFailure(stage: "retry", policy: RetryPolicy): void;
  onFailure(stage: "deadLetter", policy: DeadLetterPolicy): void;
}

/** What a bus lends to a plugin while it is installed and after. */
export interface PluginHost extends ServiceDirectory, PathHooks {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instruments: Instruments;
  /** Uniform in [0, 1); seeded in tests. */
  readonly random: () => number;
  /** The composed publish path of the bus. */
  readonly publish: PublishFunction;
  /** The bus's own subscribe, for plugins that add a way to subscribe. */
  readonly subscribe: SubscribeFunction;
  /** The default group of the bus, when it has one. */
  readonly group: string | undefined;
  observe(observer: Observer): void;
  addHealthCheck(check: HealthCheck): void;
  /** The health of the whole bus, for plugins that show it; not to be called while plugins are installed. */
  health(): Promise<BusHealth>;
  /** Subscriptions registered so far. */
  subscriptions(): readonly ActiveSubscription[];
  /** Tell observers and the log of a mode change. */
  reportMode(event: ModeEvent): void;
}

/** A plugin at work. */
export interface PluginInstance<Api extends object> {
  /** Merged into the bus; a name that the bus or another plugin has is `BUS_CONFIG`. */
  readonly api: Api;
  /** Called when the bus starts, after the transport has connected and before it subscribes. */
  start?(): Promise<void> | void;
  /** Called when the bus closes, after the last delivery has settled and before the transport disconnects. */
  close?(): Promise<void> | void;
  /** Effective options for `describe()`. */
  describe?(): Readonly<Record<string, unknown>>;
  /** What is going on inside now, for `bus.inspect()`: bounded, without message contents. */
  inspect?(): Readonly<Record<string, unknown>>;
}

/** Extends a bus. Made by the callable that `definePlugin` returns. */
export interface Plugin<Api extends object> {
  readonly kind: "plugin";
  readonly name: string;
  /** Effective options (defaults applied) for `describe()`. */
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * Take part in a bus. Capabilities are checked here: a missing one throws `BUS_UNSUPPORTED` naming transport and capability.
   */
  install(host: PluginHost): PluginInstance<Api>;
}
