import { ACK } from "@bus/core";
import type { Deliver } from "@bus/core";
import { changed } from "./broken-transport.ts";
import type { Breakage, BrokenSubject } from "./broken-transport.ts";

/** A broken promise on which several guarantees rest; all of them must notice. */
export interface WideBreakage {
  readonly what: string;
  readonly guarantees: readonly string[];
  readonly broken: BrokenSubject;
}

/** Transports that nobody should use. */
export const WIDE_BREAKAGES: readonly WideBreakage[] = [
  {
    what: "acknowledges a message when it delivers it",
    guarantees: [
      "back-pressure bound",
      "crash without close",
      "commit is contiguous",
      "close at any time",
      "drain deadline",
      "lag is truthful",
      "abort is not failure",
    ],
    broken: { breakage: () => ({ deliver: acknowledgeAtOnce }) },
  },
  {
    what: "loses every tenth message",
    guarantees: [
      "publish and receive",
      "every accepted publish arrives",
      "group isolation and fan-out",
      "partition order",
      "rebalance while handlers run",
      "subscribe after start",
    ],
    broken: { breakage: () => ({ deliver: everyTenth((delivery) => delivery.settle(ACK)) }) },
  },
  {
    what: "delivers every tenth message twice",
    guarantees: [
      "publish and receive",
      "every accepted publish arrives",
      "group isolation and fan-out",
      "partition order",
    ],
    broken: {
      breakage: () => ({
        deliver: everyTenth((delivery, next) => {
          next(delivery);
          next(changed(delivery, { settle: () => undefined }));
        }),
      }),
    },
  },
  {
    what: "ignores close and goes on",
    guarantees: [
      "nothing left after close",
      "close at any time",
      "drain deadline",
      "commit is contiguous",
      "start positions",
      "abort is not failure",
    ],
    broken: { breakage: ignoreClose },
  },
];

function acknowledgeAtOnce(next: Deliver): Deliver {
  return (delivery) => {
    delivery.settle(ACK);
    next(changed(delivery, { settle: () => undefined }));
  };
}

function everyTenth(
  wrong: (delivery: Parameters<Deliver>[0], next: Deliver) => void,
): NonNullable<Breakage["deliver"]> {
  return (next) => {
    let count = 0;
    return (delivery) => {
      count++;
      if (count % 10 === 0) wrong(delivery, next);
      else next(delivery);
    };
  };
}

function ignoreClose(): Breakage {
  const closed = { abandonedDeliveries: 0 };
  return {
    close: () => () => Promise.resolve(closed),
    subscribe: (next) => async (request, deliver) => {
      const own = await next(request, deliver);
      return {
        update: (topics) => own.update(topics),
        pause: (partition) => own.pause(partition),
        resume: (partition) => own.resume(partition),
        partitions: () => own.partitions(),
        close: () => Promise.resolve(closed),
      };
    },
  };
}
