import type {
  Deliver,
  Delivery,
  OutgoingMessage,
  PublishReceipt,
  Settlement,
  Transport,
} from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { changed } from "./broken-transport.ts";
import type { Breakage, BrokenSubject } from "./broken-transport.ts";

/** A way to break a promise, and the guarantee that must notice: no other may. */
export interface KnownBreakage {
  readonly what: string;
  readonly guarantee: string;
  readonly broken: BrokenSubject;
}

/** Deliveries that break what is received or published. */
export const MESSAGE_BREAKAGES: readonly KnownBreakage[] = [
  {
    what: "keeps headers as a map of lists, so that their order across names is lost",
    guarantee: "publish and receive",
    broken: {
      breakage: () => ({
        deliver: (next) => (delivery) => next(changed(delivery, { headers: grouped(delivery) })),
      }),
    },
  },
  {
    what: "turns a tombstone into an empty value",
    guarantee: "publish and receive",
    broken: {
      breakage: () => ({
        deliver: (next) => (delivery) =>
          next(changed(delivery, { value: delivery.value ?? new Uint8Array(0) })),
      }),
    },
  },
  {
    what: "turns a missing key into an empty one",
    guarantee: "publish and receive",
    broken: {
      breakage: () => ({
        deliver: (next) => (delivery) =>
          next(changed(delivery, { key: delivery.key ?? new Uint8Array(0) })),
      }),
    },
  },
  {
    what: "lets the key decide where the caller chose the partition",
    guarantee: "publish and receive",
    broken: { breakage: () => ({ publish: (next) => (messages) => next(messages.map(byKey)) }) },
  },
  {
    what: "loses one message in thirty when two publishes run at the same time",
    guarantee: "every accepted publish arrives",
    broken: {
      breakage: () => ({ publish: concurrently((next, messages) => forget(next, messages)) }),
    },
  },
  {
    what: "stores a call twice now and then when two publishes run at the same time",
    guarantee: "every accepted publish arrives",
    broken: {
      breakage: () => ({
        publish: concurrently((next, messages) => next(messages).then(() => next(messages))),
      }),
    },
  },
  {
    what: "lets two groups of one process share what each should receive",
    guarantee: "group isolation and fan-out",
    broken: { breakage: shareFirstGroup },
  },
  {
    what: "swaps two deliveries of a partition once five hundred are unsettled",
    guarantee: "partition order",
    broken: { breakage: () => ({ deliver: swapWhenFull }) },
  },
];

/** Transports that break flow: how much, how fast, how soon. */
export const FLOW_BREAKAGES: readonly KnownBreakage[] = [
  {
    what: "has six messages at most in flight when it starts",
    guarantee: "concurrency bound",
    broken: { breakage: () => ({ deliver: startSlowly }) },
  },
  {
    what: "exceeds the bound in count",
    guarantee: "back-pressure bound",
    broken: {
      overrides: ({ maxInFlightMessages = 2_000, ...others }) => ({
        ...others,
        maxInFlightMessages: maxInFlightMessages * 2,
      }),
    },
  },
  {
    what: "exceeds the bound in bytes",
    guarantee: "back-pressure bound",
    broken: {
      overrides: ({ maxInFlightBytes = 64_000_000, ...others }) => ({
        ...others,
        maxInFlightBytes: maxInFlightBytes * 2,
      }),
    },
  },
  {
    what: "redelivers after half of the delay",
    guarantee: "redelivery after nack",
    broken: {
      breakage: () => ({
        deliver: onSettle((settlement) =>
          settlement.kind === "nack"
            ? { ...settlement, redeliverAfterMs: settlement.redeliverAfterMs / 2 }
            : settlement,
        ),
      }),
    },
  },
];

function grouped(delivery: Delivery): Delivery["headers"] {
  const names = [...new Set(delivery.headers.map(([name]) => name))];
  return names.flatMap((name) => delivery.headers.filter(([other]) => other === name));
}

function byKey({ partition, ...message }: OutgoingMessage): OutgoingMessage {
  return message.key === null && partition !== undefined ? { ...message, partition } : message;
}

type PublishWith = (
  next: Transport["publish"],
  messages: readonly OutgoingMessage[],
) => Promise<readonly PublishReceipt[]>;

/** Every thirtieth call that begins while another one runs goes wrong. */
function concurrently(wrong: PublishWith): NonNullable<Breakage["publish"]> {
  return (next) => {
    let running = 0;
    let overlaps = 0;
    return async (messages) => {
      const goesWrong = running > 0 && ++overlaps % 30 === 0;
      running++;
      try {
        return await (goesWrong ? wrong(next, messages) : next(messages));
      } finally {
        running--;
      }
    };
  };
}

async function forget(
  next: Transport["publish"],
  messages: readonly OutgoingMessage[],
): Promise<readonly PublishReceipt[]> {
  const [first, ...others] = messages;
  if (first === undefined) return [];
  const receipts = await next(others);
  return [{ topic: first.topic, partition: 0, offset: 0n }, ...receipts];
}

function shareFirstGroup(): Breakage {
  let first: string | undefined;
  return {
    subscribe: (next) => (request, deliver) => {
      first ??= request.group;
      return next({ ...request, group: first }, deliver);
    },
  };
}

function swapWhenFull(next: Deliver): Deliver {
  let unsettled = 0;
  let held: Delivery | undefined;
  return (delivery) => {
    unsettled++;
    const counted = changed(delivery, {
      settle: (settlement) => {
        unsettled--;
        delivery.settle(settlement);
      },
    });
    if (unsettled === 500) {
      held = counted;
      return;
    }
    next(counted);
    if (held?.partition !== counted.partition) return;
    const late = held;
    held = undefined;
    next(late);
  };
}

/** Keep deliveries back while six are out, for the first moments of a subscription. */
function startSlowly(next: Deliver): Deliver {
  const SLOW_FOR_MS = 400;
  const AT_ONCE = 6;
  const waiting: Delivery[] = [];
  let out = 0;
  let isSlow: boolean | undefined;
  const pump = (): void => {
    while (waiting.length > 0 && !(isSlow && out >= AT_ONCE)) {
      const delivery = waiting.shift();
      if (delivery === undefined) return;
      out++;
      next(changed(delivery, { settle: (settlement) => settled(delivery, settlement) }));
    }
  };
  const settled = (delivery: Delivery, settlement: Settlement): void => {
    out--;
    delivery.settle(settlement);
    queueMicrotask(pump);
  };
  return (delivery) => {
    if (isSlow === undefined) {
      isSlow = true;
      systemClock.schedule(() => {
        isSlow = false;
        pump();
      }, SLOW_FOR_MS);
    }
    waiting.push(delivery);
    pump();
  };
}

/** Settle otherwise than asked. */
export function onSettle(
  change: (settlement: Settlement, delivery: Delivery) => Settlement,
): NonNullable<Breakage["deliver"]> {
  return (next) => (delivery) =>
    next(
      changed(delivery, { settle: (settlement) => delivery.settle(change(settlement, delivery)) }),
    );
}
