import type { Clock } from "../contracts/clock.ts";
import type { Delivery } from "../contracts/delivery.ts";
import { RELEASE } from "../contracts/delivery.ts";
import type { TopicPartition } from "../contracts/message.ts";
import type { FlowControl, Scheduler, SubscriptionSpec } from "../contracts/scheduler.ts";
import type {
  CloseOptions,
  CloseReport,
  PartitionState,
  StartFrom,
  Subscriber,
  TopicSubscription,
  TransportSubscription,
} from "../contracts/transport.ts";
import type { BusReporter } from "../observe/bus-reporter.ts";
import type { ObserverHub } from "../observe/observer-hub.ts";

/** A topic of a group with its handler. */
export interface TopicRoute {
  readonly spec: SubscriptionSpec;
  readonly scheduler: Scheduler;
  readonly startFrom: StartFrom | undefined;
}

/** What a group consumer needs. */
export interface GroupConsumerParts {
  readonly group: string;
  readonly transport: Subscriber;
  readonly clock: Clock;
  readonly reporter: BusReporter;
  readonly hub: ObserverHub;
}

/**
 * One member of one group: every topic of the group in one transport subscription, and the way from a delivery to the
 * scheduler of its topic. Changes after the start are coalesced into one membership change at a time.
 */
export class GroupConsumer {
  readonly group: string;
  /** For schedulers: works before the member has joined, too. */
  readonly flow: FlowControl;
  readonly #parts: GroupConsumerParts;
  readonly #routes = new Map<string, TopicRoute>();
  readonly #held = new Set<string>();
  readonly #pausedBeforeJoin = new Map<string, TopicPartition>();
  #subscription: TransportSubscription | undefined;
  #lastRoute: TopicRoute | undefined;
  #update: Promise<void> | undefined;
  #closing = false;

  constructor(parts: GroupConsumerParts) {
    this.group = parts.group;
    this.#parts = parts;
    this.flow = {
      pause: (partition) => {
        if (this.#subscription === undefined)
          this.#pausedBeforeJoin.set(`${partition.topic}/${partition.partition}`, partition);
        else this.#subscription.pause(partition);
      },
      resume: (partition) => {
        this.#pausedBeforeJoin.delete(`${partition.topic}/${partition.partition}`);
        this.#subscription?.resume(partition);
      },
    };
  }

  get joined(): boolean {
    return this.#subscription !== undefined;
  }

  get heldTopics(): readonly string[] {
    return [...this.#held];
  }

  get routes(): readonly TopicRoute[] {
    return [...this.#routes.values()];
  }

  hasHandler(topic: string): boolean {
    return this.#routes.has(topic);
  }

  partitions(): readonly PartitionState[] {
    return this.#subscription?.partitions() ?? [];
  }

  /** Join with a topic before it has a handler: assigned, not read, not committed. */
  hold(topic: string): void {
    if (!this.#routes.has(topic)) this.#held.add(topic);
  }

  /** Add a topic; before the start it joins with the others, after it resolves once the member has the topic. */
  async add(route: TopicRoute): Promise<void> {
    this.#routes.set(route.spec.topic, route);
    this.#held.delete(route.spec.topic);
    if (this.joined) await this.#changed();
  }

  /** Remove a topic's handler after its running handlers have ended; `hold` keeps the topic assigned and unread. */
  async remove(topic: string, hold: boolean): Promise<void> {
    const route = this.#routes.get(topic);
    if (route === undefined) return;
    if (hold) this.#held.add(topic);
    this.#routes.delete(topic);
    this.#lastRoute = undefined;
    if (this.joined) await this.#changed();
    await route.scheduler.drained();
  }

  async start(): Promise<void> {
    const topics = this.#topics();
    const deliver = (delivery: Delivery): void => this.#deliver(delivery);
    this.#subscription = await this.#parts.transport.subscribe(
      { group: this.group, topics },
      deliver,
    );
    for (const partition of this.#pausedBeforeJoin.values()) this.#subscription.pause(partition);
    this.#pausedBeforeJoin.clear();
    if (!sameTopics(topics, this.#topics())) await this.#changed();
  }

  /** Drain and leave. Every delivery handed over has settled, or is counted as abandoned. */
  async close(options: CloseOptions): Promise<CloseReport> {
    this.#closing = true;
    // A failed update was already told to whoever asked for it.
    await this.#update?.catch(() => undefined);
    return (await this.#subscription?.close(options)) ?? { abandonedDeliveries: 0 };
  }

  #deliver(delivery: Delivery): void {
    // Consecutive deliveries mostly share a topic.
    const last = this.#lastRoute;
    const route =
      last !== undefined && last.spec.topic === delivery.topic
        ? last
        : this.#routes.get(delivery.topic);
    if (route === undefined) {
      // Its handler was just removed: give it back unhandled, whoever handles the topic next receives it.
      delivery.settle(RELEASE);
      return;
    }
    this.#lastRoute = route;
    const { hub } = this.#parts;
    if (hub.wantsReceived) hub.notify("received", delivery);
    route.scheduler.schedule(delivery);
  }

  #topics(): readonly TopicSubscription[] {
    const handled = Array.from(this.#routes.values(), ({ spec, startFrom }) =>
      startFrom === undefined ? { topic: spec.topic } : { topic: spec.topic, startFrom },
    );
    return [...handled, ...Array.from(this.#held, (topic) => ({ topic, held: true }))];
  }

  /** Apply the wanted topics; calls that come while an update runs share the next one. */
  #changed(): Promise<void> {
    const running = this.#update;
    if (running !== undefined && this.#queuedUpdate !== undefined) return this.#queuedUpdate;
    const next = (
      running === undefined ? this.#pauseForMore() : running.catch(() => undefined)
    ).then(async () => {
      this.#queuedUpdate = undefined;
      if (!this.#closing) await this.#subscription?.update(this.#topics());
    });
    this.#queuedUpdate = next;
    this.#update = next;
    const done = (): void => {
      if (this.#update === next) this.#update = undefined;
    };
    next.then(done, done);
    return next;
  }

  #queuedUpdate: Promise<void> | undefined;

  /** Let subscribes of the same tick join the same change. */
  #pauseForMore(): Promise<void> {
    return new Promise((resolve) => void this.#parts.clock.schedule(resolve, 0));
  }
}

function sameTopics(
  left: readonly TopicSubscription[],
  right: readonly TopicSubscription[],
): boolean {
  const id = (topics: readonly TopicSubscription[]): string =>
    topics
      .map(({ topic, held, startFrom }) => `${topic}|${held === true}|${startFrom ?? ""}`)
      .toSorted()
      .join(" ");
  return id(left) === id(right);
}
