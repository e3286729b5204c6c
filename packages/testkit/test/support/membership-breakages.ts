import { ACK } from "@bus/core";
import type {
  Deliver,
  Delivery,
  Settlement,
  SubscriptionRequest,
  TopicSubscription,
  Transport,
  TransportSubscription,
} from "@bus/core";
import { systemClock, wait } from "@bus/core/adapter";
import { changed } from "./broken-transport.ts";
import type { Breakage } from "./broken-transport.ts";
import type { KnownBreakage } from "./breakages.ts";

/** Transports that break commits and membership. */
export const MEMBERSHIP_BREAKAGES: readonly KnownBreakage[] = [
  {
    what: "acknowledges a message once ten later ones have been acknowledged",
    guarantee: "commit is contiguous",
    broken: { breakage: () => ({ deliver: giveUpOvertaken }) },
  },
  {
    what: "commits what it has received when the only member of a group crashes",
    guarantee: "crash without close",
    broken: { breakage: commitOnCrash() },
  },
  {
    what: "never tells deliveries that their partition is being taken away",
    guarantee: "rebalance while handlers run",
    broken: { breakage: signalsOfOwnDoing },
  },
  {
    what: "ignores topics that are added later",
    guarantee: "subscribe after start",
    broken: {
      breakage: () => ({
        subscribe: withUpdate((topics, request) =>
          topics.filter(({ topic }) => includes(request, topic)),
        ),
      }),
    },
  },
  {
    what: "reads a held topic and skips its messages",
    guarantee: "hold a topic without handler",
    broken: { breakage: () => ({ subscribe: skipHeld }) },
  },
  {
    what: "begins every topic where the first one begins",
    guarantee: "start positions",
    broken: {
      breakage: () => ({
        subscribe: (next) => (request, deliver) => next(likeTheFirst(request), deliver),
      }),
    },
  },
  {
    what: "begins at the earliest message when it should begin at none",
    guarantee: "start positions",
    broken: {
      breakage: () => ({
        subscribe: (next) => (request, deliver) => next(withoutNone(request), deliver),
      }),
    },
  },
];

/** So many acknowledged messages behind an unsettled one make it count as acknowledged, whatever becomes of it. */
const OVERTAKEN_BY = 10;

function giveUpOvertaken(next: Deliver): Deliver {
  const partitions = new Map<
    number,
    { readonly delivery: Delivery; state: "open" | "settled" }[]
  >();
  return (delivery) => {
    const entries = partitions.get(delivery.partition) ?? [];
    partitions.set(delivery.partition, entries);
    const own = { delivery, state: "open" as "open" | "settled" };
    entries.push(own);
    const settle = (settlement: Settlement): void => {
      if (own.state === "settled") return;
      own.state = "settled";
      delivery.settle(settlement);
      while (entries[0]?.state === "settled") entries.shift();
      const overtaking = entries.filter(({ state }) => state === "settled").length;
      const [stuck] = entries;
      if (stuck === undefined || overtaking <= OVERTAKEN_BY) return;
      stuck.state = "settled";
      stuck.delivery.settle(ACK);
    };
    next(changed(delivery, { settle }));
  };
}

/** Longer than the commit interval of the reference transport. */
const COMMITTED_AFTER_MS = 150;

/** Processes share what they know of each other's groups, as if the broker told them. */
function commitOnCrash(): () => Breakage {
  const members = new Map<string, number>();
  return () => {
    const unsettled = new Map<string, Set<Delivery>>();
    const committed = new WeakSet<Delivery>();
    return {
      subscribe: (next) => (request, deliver) => {
        members.set(request.group, (members.get(request.group) ?? 0) + 1);
        return next(request, deliver);
      },
      deliver: (next, group) => {
        const own = new Set<Delivery>();
        unsettled.set(group, own);
        return (delivery) => {
          own.add(delivery);
          const settle = (settlement: Settlement): void => {
            if (committed.has(delivery)) return;
            own.delete(delivery);
            delivery.settle(settlement);
          };
          next(changed(delivery, { settle }));
        };
      },
      crash: async () => {
        for (const [group, own] of unsettled) {
          if (members.get(group) !== 1) continue;
          for (const delivery of own) {
            committed.add(delivery);
            delivery.settle(ACK);
          }
        }
        await wait(systemClock, COMMITTED_AFTER_MS);
      },
    };
  };
}

/** Draining and signal abort when the member itself closes or changes its topics, and at no other time. */
function signalsOfOwnDoing(): Breakage {
  let ownDoing = 0;
  const during = async <TResult>(doing: () => Promise<TResult>): Promise<TResult> => {
    ownDoing++;
    try {
      return await doing();
    } finally {
      ownDoing--;
    }
  };
  const filtered = (signal: AbortSignal): AbortSignal => {
    const passedOn = new AbortController();
    signal.addEventListener("abort", () => {
      if (ownDoing > 0) passedOn.abort(signal.reason);
    });
    return passedOn.signal;
  };
  return {
    subscribe: (next) => async (request, deliver) => {
      const own = await next(request, (delivery) => {
        const { draining, signal } = delivery;
        deliver(changed(delivery, { draining: filtered(draining), signal: filtered(signal) }));
      });
      return delegate(own, {
        close: (options) => during(() => own.close(options)),
        update: (topics) => during(() => own.update(topics)),
      });
    },
    close: (next) => (options) => during(() => next(options)),
  };
}

function withUpdate(
  change: (
    topics: readonly TopicSubscription[],
    request: SubscriptionRequest,
  ) => readonly TopicSubscription[],
): NonNullable<Breakage["subscribe"]> {
  return (next) => async (request, deliver) => {
    const own = await next(request, deliver);
    return delegate(own, { update: (topics) => own.update(change(topics, request)) });
  };
}

function includes(request: SubscriptionRequest, topic: string): boolean {
  return request.topics.some((wanted) => wanted.topic === topic);
}

/** Held topics are read like any other, and their messages are acknowledged unseen. */
function skipHeld(next: Transport["subscribe"]): Transport["subscribe"] {
  return async (request, deliver) => {
    let held = heldOf(request.topics);
    const read = (topics: readonly TopicSubscription[]): readonly TopicSubscription[] => {
      held = heldOf(topics);
      return topics.map(({ held: _held, ...topic }) => topic);
    };
    const own = await next({ ...request, topics: read(request.topics) }, (delivery) => {
      if (held.has(delivery.topic)) delivery.settle(ACK);
      else deliver(delivery);
    });
    return delegate(own, { update: (topics) => own.update(read(topics)) });
  };
}

function heldOf(topics: readonly TopicSubscription[]): ReadonlySet<string> {
  return new Set(topics.filter(({ held }) => held === true).map(({ topic }) => topic));
}

function likeTheFirst(request: SubscriptionRequest): SubscriptionRequest {
  const startFrom = request.topics[0]?.startFrom;
  if (startFrom === undefined) return request;
  return { ...request, topics: request.topics.map((topic) => ({ ...topic, startFrom })) };
}

function withoutNone(request: SubscriptionRequest): SubscriptionRequest {
  const topics = request.topics.map((topic) =>
    topic.startFrom === "none" ? { ...topic, startFrom: "earliest" as const } : topic,
  );
  return { ...request, topics };
}

function delegate(
  own: TransportSubscription,
  changes: Partial<TransportSubscription>,
): TransportSubscription {
  return {
    update: (topics) => own.update(topics),
    pause: (partition) => own.pause(partition),
    resume: (partition) => own.resume(partition),
    partitions: () => own.partitions(),
    close: (options) => own.close(options),
    ...changes,
  };
}
