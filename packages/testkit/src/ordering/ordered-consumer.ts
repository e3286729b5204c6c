import { Consumer } from "../conformance/consumer.ts";
import type { ConsumerOptions } from "../conformance/consumer.ts";
import type { Lab } from "../conformance/lab.ts";
import type { OrderingBus, OrderingBusRequest, OrderingSubject } from "./ordering-subject.ts";

/** How a consumer with ordering by key works. */
export interface OrderedConsumerOptions extends Omit<ConsumerOptions, "subscribe" | "openBus"> {
  /** What differs from the kit's usual bus. */
  readonly bus?: Partial<Omit<OrderingBusRequest, "group" | "transport">>;
}

/** A consumer and the controls of its bus. */
export interface OrderedConsumer {
  readonly consumer: Consumer;
  readonly bus: OrderingBus;
}

/** Handlers at once unless a test says otherwise. */
export const CONCURRENCY = 12;
/** Time between checks of the backlog, in milliseconds. */
const CHECK_INTERVAL_MS = 100;

/** Open a bus that orders by key, subscribe, join. The bus is closed when the test ends. */
export async function consumeInOrder(
  lab: Lab,
  subject: OrderingSubject,
  { bus: wanted, ...options }: OrderedConsumerOptions,
): Promise<OrderedConsumer> {
  let bus: OrderingBus | undefined;
  const consumer = new Consumer(lab, {
    ...options,
    subscribe: { ordering: "key" },
    openBus: (transport) => {
      bus = subject.openBus({
        group: options.group,
        transport,
        concurrency: CONCURRENCY,
        startMode: "recovery",
        maxLagMessages: 1_000_000,
        checkIntervalMs: CHECK_INTERVAL_MS,
        clearChecks: 2,
        ...wanted,
      });
      return bus;
    },
  });
  await consumer.start();
  if (bus === undefined) throw new TypeError("the consumer made no bus");
  return { consumer, bus };
}
