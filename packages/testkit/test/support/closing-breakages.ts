import type {
  Capabilities,
  GroupLag,
  LagReader,
  Settlement,
  TransportSubscription,
} from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { changed } from "./broken-transport.ts";
import type { Breakage } from "./broken-transport.ts";
import type { KnownBreakage } from "./breakages.ts";

/** Transports that break the end of things, and what is told about them. */
export const CLOSING_BREAKAGES: readonly KnownBreakage[] = [
  {
    what: "accepts a subscription after close",
    guarantee: "close at any time",
    broken: { breakage: subscribeAfterClose },
  },
  {
    what: "cannot be closed before it is connected",
    guarantee: "close at any time",
    broken: { breakage: closeAfterConnect },
  },
  {
    what: "aborts handlers as soon as it begins to drain",
    guarantee: "drain deadline",
    broken: {
      breakage: () => ({
        deliver: (next) => (delivery) => next(changed(delivery, { signal: delivery.draining })),
      }),
    },
  },
  {
    what: "counts a delivery that was given back as a failed attempt",
    guarantee: "abort is not failure",
    broken: { breakage: countReleases() },
  },
  {
    what: "takes a topic that does not exist for one without lag",
    guarantee: "lag is truthful",
    broken: { breakage: () => ({ capabilities: withReader(hideUnknown) }) },
  },
  {
    what: "counts everything as lag where nothing is committed, wherever the group would begin",
    guarantee: "lag is truthful",
    broken: { breakage: () => ({ capabilities: withReader(countEverything) }) },
  },
  {
    what: "calls every partition with lag old",
    guarantee: "lag is truthful",
    broken: {
      breakage: () => ({
        capabilities: withReader((reader) => ({
          read: (query) => reader.read(query),
          olderThan: (lag) => Promise.resolve(lag.filter(({ lagMessages }) => lagMessages > 0n)),
        })),
      }),
    },
  },
  {
    what: "leaves a timer behind when it closes",
    guarantee: "nothing left after close",
    broken: { breakage: leaveTimer },
  },
];

function countReleases(): () => Breakage {
  const releases = new Map<string, number>();
  return () => ({
    deliver: (next, group) => (delivery) => {
      const id = `${group}/${delivery.topic}/${delivery.partition}/${delivery.offset}`;
      const settle = (settlement: Settlement): void => {
        if (settlement.kind === "release") releases.set(id, (releases.get(id) ?? 0) + 1);
        delivery.settle(settlement);
      };
      next(changed(delivery, { attempt: delivery.attempt + (releases.get(id) ?? 0), settle }));
    },
  });
}

function subscribeAfterClose(): Breakage {
  let closed = false;
  return {
    close: (next) => (options) => {
      closed = true;
      return next(options);
    },
    subscribe: (next) => (request, deliver) =>
      closed ? Promise.resolve(deadSubscription()) : next(request, deliver),
  };
}

function closeAfterConnect(): Breakage {
  let isConnected = false;
  return {
    connect: (next) => () => {
      isConnected = true;
      return next();
    },
    close: (next) => (options) =>
      isConnected ? next(options) : Promise.reject(new Error("not connected")),
  };
}

function deadSubscription(): TransportSubscription {
  return {
    update: () => Promise.resolve(),
    pause: () => undefined,
    resume: () => undefined,
    partitions: () => [],
    close: () => Promise.resolve({ abandonedDeliveries: 0 }),
  };
}

function withReader(
  change: (reader: LagReader) => LagReader,
): (capabilities: Capabilities) => Capabilities {
  return (capabilities) =>
    capabilities.lag === undefined
      ? capabilities
      : { ...capabilities, lag: change(capabilities.lag) };
}

function countEverything(reader: LagReader): LagReader {
  return {
    olderThan: (lag, olderThanMs, signal) => reader.olderThan(lag, olderThanMs, signal),
    read: async (query): Promise<GroupLag> => {
      const lag = await reader.read(query);
      const partitions = lag.partitions.map((partition) => {
        const { committed, high, low, lagMessages } = partition;
        return { ...partition, lagMessages: committed === undefined ? high - low : lagMessages };
      });
      return { ...lag, partitions };
    },
  };
}

function hideUnknown(reader: LagReader): LagReader {
  return {
    olderThan: (lag, olderThanMs, signal) => reader.olderThan(lag, olderThanMs, signal),
    read: async (query): Promise<GroupLag> => {
      const { partitions, unknown } = await reader.read(query);
      const hidden = unknown.map(({ topic, partition }) => {
        return {
          topic,
          partition: Math.max(partition, 0),
          committed: undefined,
          low: 0n,
          high: 0n,
          lagMessages: 0n,
        };
      });
      return { partitions: [...partitions, ...hidden], unknown: [] };
    },
  };
}

/** The timer ends by itself, so that the test run does. */
const LEFT_BEHIND_MS = 20_000;

function leaveTimer(): Breakage {
  return {
    close: (next) => (options) => {
      systemClock.schedule(() => undefined, LEFT_BEHIND_MS);
      return next(options);
    },
  };
}
