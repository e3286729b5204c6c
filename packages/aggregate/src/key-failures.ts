import { BusHandlerError } from "@bus/core";
import type { AnyHandler, Delivery, Message, RunDelivery } from "@bus/core";

/**
 * Messages of one subscription whose aggregate could not be told, from the moment it failed until they settle: their
 * handler is not called, what the extractor threw fails them in its place, however often they are run again.
 */
export class KeyFailures {
  readonly #errors = new Map<string, Error>();

  add(delivery: Delivery, error: unknown): void {
    this.#errors.set(idOf(delivery), error instanceof Error ? error : wrapped(delivery, error));
  }

  /** The run that forgets a failure when its delivery has settled. */
  guardRun(run: RunDelivery): RunDelivery {
    return (delivery, slot) => {
      if (this.#errors.size === 0) return run(delivery, slot);
      return run(delivery, slot).then(() => void this.#errors.delete(idOf(delivery)));
    };
  }

  /** The handler of messages whose aggregate is known; the others fail. */
  guardHandler(handler: AnyHandler): AnyHandler {
    return (message, context) => {
      const error = this.#errors.size === 0 ? undefined : this.#errors.get(idOf(message));
      if (error !== undefined) throw error;
      return handler(message, context);
    };
  }
}

function wrapped({ topic, partition, offset }: Delivery, thrown: unknown): BusHandlerError {
  const where = `${topic}/${partition}@${offset}`;
  return new BusHandlerError(
    "BUS_HANDLER",
    `aggregateIdExtractor threw ${typeof thrown} for ${where}`,
    {
      details: { topic, partition, offset },
      cause: thrown,
    },
  );
}

function idOf({ partition, offset }: Pick<Message<unknown>, "partition" | "offset">): string {
  return `${partition}@${offset}`;
}
