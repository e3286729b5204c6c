import { BusTransportError } from "@bus/core";
import type {
  BusError,
  ConfiguredTransport,
  Deliver,
  Delivery,
  OutgoingMessage,
  PublishReceipt,
  Transport,
  TransportEvent,
  TransportHost,
} from "@bus/core";
import { wait } from "@bus/core/adapter";

/**
 * What goes wrong with one publish call.
 *
 * - `fail`: nothing is stored; rejects with `error`, `BUS_PUBLISH_FAILED` when absent.
 * - `outcomeUnknown`: rejects with `BUS_OUTCOME_UNKNOWN`; `stored` says whether the messages are there nevertheless.
 * - `delay`: the call goes through after so many milliseconds.
 */
export type PublishFault =
  | { readonly kind: "fail"; readonly error?: BusError }
  | { readonly kind: "outcomeUnknown"; readonly stored: boolean }
  | { readonly kind: "delay"; readonly delayMs: number };

/** Decides what goes wrong; every hook is optional and `undefined` lets things go their way. Keep state in a closure. */
export interface TransportFaults {
  /** Fails the call of `connect`. */
  readonly connect?: () => BusError | undefined;
  /** Called for every publish call; `call` counts from 1. */
  readonly publish?: (
    messages: readonly OutgoingMessage[],
    call: number,
  ) => PublishFault | undefined;
  /** Milliseconds by which a delivery comes late; later ones of its partition wait behind it. */
  readonly deliverLateMs?: (delivery: Delivery) => number | undefined;
  /** `true` swallows an event: observers, health and log never hear of it. */
  readonly dropEvent?: (event: TransportEvent) => boolean;
}

/**
 * Wrap a transport so that it fails in the ways that its broker rarely does when a test needs it.
 *
 * @param inner - Any transport, for example `memory()`.
 */
export function faultyTransport(
  inner: ConfiguredTransport,
  faults: TransportFaults,
): ConfiguredTransport {
  return {
    kind: "transport",
    name: inner.name,
    options: inner.options,
    create: (host) => {
      const listening = { ...host, emit: (event: TransportEvent) => emit(host, faults, event) };
      return new FaultyTransport(inner.create(listening), faults, host);
    },
  };
}

function emit(host: TransportHost, faults: TransportFaults, event: TransportEvent): void {
  if (faults.dropEvent?.(event) !== true) host.emit(event);
}

class FaultyTransport implements Transport {
  readonly #inner: Transport;
  readonly #faults: TransportFaults;
  readonly #host: TransportHost;
  #calls = 0;

  constructor(inner: Transport, faults: TransportFaults, host: TransportHost) {
    this.#inner = inner;
    this.#faults = faults;
    this.#host = host;
  }

  get name(): string {
    return this.#inner.name;
  }

  get capabilities(): Transport["capabilities"] {
    return this.#inner.capabilities;
  }

  async connect(): Promise<void> {
    const error = this.#faults.connect?.();
    if (error !== undefined) throw error;
    await this.#inner.connect();
  }

  async publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    const fault = this.#faults.publish?.(messages, ++this.#calls);
    switch (fault?.kind) {
      case undefined:
        return this.#inner.publish(messages);
      case "fail":
        throw (
          fault.error ?? new BusTransportError("BUS_PUBLISH_FAILED", "the publish was made to fail")
        );
      case "outcomeUnknown":
        if (fault.stored) await this.#inner.publish(messages);
        throw new BusTransportError(
          "BUS_OUTCOME_UNKNOWN",
          "the answer to the publish was made to disappear",
        );
      case "delay":
        await wait(this.#host.clock, fault.delayMs);
        return this.#inner.publish(messages);
      default:
        return fault satisfies never;
    }
  }

  subscribe: Transport["subscribe"] = (request, deliver) =>
    this.#inner.subscribe(
      request,
      this.#faults.deliverLateMs === undefined ? deliver : this.#late(deliver),
    );

  close: Transport["close"] = (options) => this.#inner.close(options);

  /** Deliver late without letting a later message of a partition overtake. */
  #late(deliver: Deliver): Deliver {
    const tails = new Map<string, Promise<void>>();
    return (delivery) => {
      const partition = `${delivery.topic}/${delivery.partition}`;
      const lateMs = this.#faults.deliverLateMs?.(delivery) ?? 0;
      const before = tails.get(partition);
      if (before === undefined && lateMs <= 0) return deliver(delivery);
      const tail = (before ?? Promise.resolve())
        // A partition that is being taken away does not wait.
        .then(() => wait(this.#host.clock, lateMs, delivery.draining))
        .then(() => {
          if (tails.get(partition) === tail) tails.delete(partition);
          deliver(delivery);
        });
      tails.set(partition, tail);
    };
  }
}
