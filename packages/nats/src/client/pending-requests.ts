import { BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import { isNoResponders } from "../wire/status-line.ts";
import type { LinkMessage, LinkSubscription, NatsLink } from "./nats-link.ts";

interface Pending {
  resolve(answer: LinkMessage): void;
  reject(error: BusTransportError): void;
}

/** Requests over one inbox that fail at once when the connection is lost, instead of when their time is up. */
export class PendingRequests {
  readonly #clock: Clock;
  readonly #link: Pick<NatsLink, "publish" | "subscribe" | "isConnected">;
  readonly #inbox: string;
  readonly #pending = new Map<string, Pending>();
  #subscription: LinkSubscription | undefined;
  #count = 0;

  constructor(
    clock: Clock,
    link: Pick<NatsLink, "publish" | "subscribe" | "isConnected">,
    inbox: string,
  ) {
    this.#clock = clock;
    this.#link = link;
    this.#inbox = inbox;
  }

  request(
    ...[subject, data, timeoutMs, options]: Parameters<NatsLink["request"]>
  ): Promise<LinkMessage> {
    if (!this.#link.isConnected) return Promise.reject(failed(subject, "disconnected"));
    this.#subscription ??= this.#link.subscribe(`${this.#inbox}.*`, (message) =>
      this.#answered(message),
    );
    const reply = `${this.#inbox}.${(this.#count++).toString(36)}`;
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.schedule(() => {
        this.#pending.delete(reply);
        reject(failed(subject, "timeout", timeoutMs));
      }, timeoutMs);
      this.#pending.set(reply, {
        resolve: (answer) => {
          cancel();
          if (isNoResponders(answer)) reject(failed(subject, "noResponders"));
          else resolve(answer);
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      });
      this.#link.publish(subject, data, { ...options, reply });
    });
  }

  /** Nothing that was asked will be answered. */
  disconnected(): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) request.reject(failed("the request", "disconnected"));
  }

  close(): void {
    this.disconnected();
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }

  #answered(message: LinkMessage): void {
    const pending = this.#pending.get(message.subject);
    if (pending === undefined) return;
    this.#pending.delete(message.subject);
    pending.resolve(message);
  }
}

const REASONS = {
  timeout: "was not answered in time",
  noResponders: "reached nobody who answers it",
  disconnected: "was not answered before the connection was lost",
} as const;

function failed(
  subject: string,
  reason: keyof typeof REASONS,
  timeoutMs?: number,
): BusTransportError {
  const within = timeoutMs === undefined ? "" : ` (${timeoutMs} ms)`;
  return new BusTransportError("BUS_TRANSPORT", `${subject} ${REASONS[reason]}${within}`, {
    details: { reason, request: subject },
  });
}
