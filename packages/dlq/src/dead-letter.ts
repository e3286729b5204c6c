import { BusError } from "@bus/core";
import type { DeadLetterPolicy, Failure, OutgoingMessage, PluginHost } from "@bus/core";
import { deadLetterHeaders } from "./dead-letter-headers.ts";
import type { HeaderLimits } from "./dead-letter-headers.ts";
import type { ResolvedDlqOptions } from "./dlq-options.ts";

/** What is kept of an error when the full dead letter is too large for its destination. */
const SMALLEST: HeaderLimits = Object.freeze({ maxMessageChars: 200, maxStackChars: 0 });

/**
 * Make the policy of the `deadLetter` stage: store the message, byte for byte, with the headers that tell its story.
 * Resolves when the broker has acknowledged it; a rejection makes core hold the message and call again.
 */
export function createDeadLetterPolicy(host: PluginHost, options: ResolvedDlqOptions): DeadLetterPolicy {
  const partitions = new PartitionCounts(host);
  return async function store(failure, errorClass) {
    const topic = destinationOf(failure, errorClass, options);
    const partition = await partitions.sameNumber(topic, failure.delivery.partition);
    try {
      await host.publish([deadLetter(failure, errorClass, { topic, partition, limits: options })]);
    } catch (error) {
      if (!BusError.is(error, "BUS_MESSAGE_TOO_LARGE")) throw error;
      await host.publish([deadLetter(failure, errorClass, { topic, partition, limits: SMALLEST })]);
    }
  };
}

interface Target {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly limits: HeaderLimits;
}

function deadLetter({ delivery, ...failure }: Failure, errorClass: string, target: Target): OutgoingMessage {
  return {
    topic: target.topic,
    key: delivery.key,
    value: delivery.value,
    headers: deadLetterHeaders({ delivery, ...failure }, errorClass, target.limits),
    ...(target.partition === undefined ? {} : { partition: target.partition }),
  };
}

function destinationOf(failure: Failure, errorClass: string, { destination }: ResolvedDlqOptions): string {
  if (typeof destination === "function") return destination(failure, errorClass);
  return `${failure.delivery.topic}${destination.suffix}`;
}

/** Knows how many partitions destinations have; asks once per topic, again after a failure. */
class PartitionCounts {
  readonly #host: PluginHost;
  readonly #counts = new Map<string, number>();

  constructor(host: PluginHost) {
    this.#host = host;
  }

  /** The partition of the same number, where the destination has it; otherwise the transport chooses by key. */
  async sameNumber(topic: string, partition: number): Promise<number | undefined> {
    const count = this.#counts.get(topic) ?? (await this.#ask(topic));
    return count !== undefined && partition < count ? partition : undefined;
  }

  async #ask(topic: string): Promise<number | undefined> {
    const { topics } = this.#host.transport.capabilities;
    if (topics === undefined) return undefined;
    const [description] = await topics.describe([topic]);
    if (description !== undefined) this.#counts.set(topic, description.partitions);
    return description?.partitions;
  }
}
